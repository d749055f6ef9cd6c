"""What else would help, besides the indexes: statistics, expressions written another way, an extension to install."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from premortem import advisor, words
from premortem.model import Profile, Recommendation, RelationKind, RelationName, Table
from premortem.workload.search.selection import Chosen

#: What PostgreSQL says of an index on an expression whose value depends on a setting.
_CHANGING = re.compile(r"IMMUTABLE")
_MOST = 8
_EXPRESSION_WORTH = re.compile(r"->>|#>>|->|\bdate_trunc\b|\bextract\b|\bdate_part\b", re.I)


def hints(chosen: Chosen, recommendations: Sequence[Recommendation]) -> tuple[str, ...]:
    """Return what to consider, one sentence each."""
    profile = chosen.knowledge.world.profile
    found = [
        *_unanalyzed(chosen, profile),
        *grouped(_changing(chosen)),
        *_extensions(recommendations, profile),
        *_generated(recommendations),
        *_forced(profile),
    ]
    return tuple(dict.fromkeys(found))[:_MOST]


def _unanalyzed(chosen: Chosen, profile: Profile) -> Iterator[str]:
    """Yield the tables of the workload that were never analyzed: the planner guesses everything about them."""
    read = {name for known in chosen.knowledge.known for name in known.studied.keys}
    blind = [t for name in sorted(read) if (t := profile.table(name)) is not None and _is_blind(t)]
    if blind:
        named = words.listing([t.full_name for t in blind], most=4)
        commands = " ".join(f"ANALYZE {t.relation.sql};" for t in blind[:4])
        yield (
            f"{named} {'has' if len(blind) == 1 else 'have'} no statistics, so that plans and sizes are guesses: "
            f"{commands} pull the profile again"
        )


def _is_blind(table: Table) -> bool:
    return table.kind is RelationKind.TABLE and table.pages > 0 and not any(c.statistics for c in table.columns)


def _changing(chosen: Chosen) -> Iterator[str]:
    """Yield how to write what cannot be indexed because it depends on a setting."""
    yield from (hint for known in chosen.knowledge.known for hint in known.studied.hints)
    for number, message in sorted(chosen.refused.items()):
        expressions = [k.expression for k in chosen.candidates[number].keys if k.expression]
        if expressions and _CHANGING.search(message):
            yield f"on {chosen.candidates[number].table}: {rewritten(expressions[0])}"


def grouped(hints: Iterable[str]) -> Iterator[str]:
    """Yield hints of the form `on TABLE: says`, those that say the same of several tables as one.

    >>> list(grouped(["on a: x", "on b: y", "on c: x", "z"]))
    ['on a and c: x', 'on b: y', 'z']
    """
    tables: dict[str, list[str]] = {}
    for hint in hints:
        table, colon, says = hint.removeprefix("on ").partition(": ")
        named = hint.startswith("on ") and colon
        found = tables.setdefault(says if named else hint, [])
        if named and table not in found:
            found.append(table)
    for says, found in tables.items():
        yield f"on {words.listing(found, most=4)}: {says}" if found else says


def rewritten(expression: str) -> str:
    """Return what to write in place of an expression that is not immutable."""
    if expression.startswith("to_tsvector("):
        return f"{expression} depends on a setting; name the configuration in it, as in to_tsvector('english', …)"
    return (
        f"{expression} depends on settings such as the time zone, so it cannot be indexed; compare the bare column "
        "with a range, or fix the zone in it (AT TIME ZONE 'UTC')"
    )


def _extensions(recommendations: Sequence[Recommendation], profile: Profile) -> Iterator[str]:
    installed = {e.name for e in profile.extensions}
    wanted = {e for r in recommendations for e in advisor.extensions(r.candidate)} - installed
    for name in sorted(wanted):
        yield (
            f"production lacks the extension {name}: the script creates it, for which its role needs CREATE on the "
            "database, and the server the extension's files"
        )


def _generated(recommendations: Sequence[Recommendation]) -> Iterator[str]:
    """Yield that an expression that many queries repeat may be a column of its own."""
    for index in recommendations:
        for key in index.candidate.keys:
            if key.expression and _EXPRESSION_WORTH.search(key.expression):
                yield _column(index.candidate.table, key.expression)


def _column(table: RelationName, expression: str) -> str:
    return (
        f"{expression} of {table} may be a column of its own, GENERATED ALWAYS AS (…) STORED: it has statistics "
        "without an index, and a plain index serves it; adding it rewrites the table"
    )


def _forced(profile: Profile) -> Iterator[str]:
    if profile.setting("plan_cache_mode") == "force_generic_plan":
        yield (
            "plan_cache_mode is force_generic_plan: prepared statements are planned without their values, and what is "
            "said here of rare and hot values holds for statements that are not prepared"
        )
