"""Which queries have to be judged at all: those of which something is new, or something that their plans depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from premortem import baseline
from premortem.baseline import Match, World
from premortem.model import Accepted, AcceptedFinding, Query, Site, StatementKind, Unreadable

Item = Query | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The files of the base branch: the statements that stood in those which the change touches.

    `is_touched` says of a source whether the change touches it, None where it is no file of the repository.
    """

    queries: Sequence[Item]
    is_touched: Callable[[str], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known from before.

    `lock` is what queries are compared with (the base branch's lock where that is asked for), `accepted` what holds now
    (the lock of this checkout), `base` the base branch's files; each None where there is none.  `settings` are
    production's planner settings at the time of the lock.  `skips` is whether what is settled need not be judged again.
    """

    lock: Mapping[str, Accepted] | None = None
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    base: Base | None = None
    settings: tuple[tuple[str, str], ...] = ()
    skips: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """The statements to judge, what each of them was before, and what need not be judged again.

    `names` are the names in the lock by text and search path; `unchanged` counts, `skipped` names what was left out.
    """

    queries: tuple[Item, ...]
    names: Mapping[tuple[str, object], str]
    matches: Mapping[str, Match]
    gone: Mapping[str, Accepted]
    unchanged: int
    skipped: frozenset[str] = frozenset()

    def name(self, query: Query) -> str:
        """Return the name of a query in the lock."""
        return self.names.get((query.text, query.search_path)) or baseline.key(query)

    def match(self, query: Query) -> Match | None:
        """Return what the query was, None for a new one."""
        return self.matches.get(self.name(query))


def sift(queries: Iterable[Item], known: Known, world: World, today: date, place: Callable[[Site], Site]) -> Sifted:
    """Return what has to be judged; `place` says of a site how the lock writes it."""
    every = tuple(queries)
    found = [q for q in every if _is_touched(q, known) is not False]
    names: dict[tuple[str, object], str] = {}
    filed: dict[str, Query] = {}
    rest: dict[str, Query] = {}
    for query in found:
        if isinstance(query, Query) and query.kind is not StatementKind.UTILITY:
            name = names.setdefault((query.text, query.search_path), baseline.key(query))
            group = filed if _is_touched(query, known) else rest
            group.setdefault(name, replace(query, site=place(query.site)))
    old = _of_base(known.base, place)
    of_files = baseline.match(filed, old.accepted)
    of_lock = baseline.match(rest, known.lock or {})
    same = {n for n, m in of_files.found.items() if m.name == n}
    settled = {n for n, q in rest.items() if n not in filed and _is_settled(q, known, n, world, today)}

    def is_new(item: Item) -> bool:
        if isinstance(item, Unreadable) or item.kind is StatementKind.UTILITY:
            return item.original not in old.others
        return names[item.text, item.search_path] not in same | settled

    judged = tuple(q for q in found if is_new(q))
    return Sifted(
        queries=judged,
        names=names,
        matches={**of_lock.found, **of_files.found},
        gone=_gone(of_lock.gone, every, filed, known, place),
        unchanged=_count(every) - _count(judged),
        skipped=frozenset(settled),
    )


def _gone(
    unclaimed: Mapping[str, Accepted],
    every: Iterable[Item],
    filed: Mapping[str, Query],
    known: Known,
    place: Callable[[Site], Site],
) -> dict[str, Accepted]:
    """Return the accepted queries that nobody asks any more; what stands in files that nobody touched was not read."""
    untouched = {place(q.site).source for q in every if _is_touched(q, known) is False}
    return {n: a for n, a in unclaimed.items() if n not in filed and a.site.source not in untouched}


def _is_touched(item: Item, known: Known) -> bool | None:
    """Return whether the change touches a statement's file, None where it stands in none, or nobody asked."""
    captured = isinstance(item, Query) and item.executions is not None
    return None if known.base is None or captured else known.base.is_touched(item.site.source)


def _count(items: Iterable[Item]) -> int:
    """Count the different statements that could be planned."""
    texts = {
        (q.text, q.search_path) if isinstance(q, Query) else q.original
        for q in items
        if not (isinstance(q, Query) and q.kind is StatementKind.UTILITY)
    }
    return len(texts)


def _is_settled(query: Query, known: Known, name: str, world: World, today: date) -> bool:
    """Return whether nothing that the query's plan depends on changed since it was accepted, and nothing ended."""
    was = (known.lock or {}).get(name) if known.skips else None
    if was is None or not was.facts or was.facts != world.facts(query):
        return False
    ends = [f.until for f in (*was.findings, *_held(known, name))] + [a.until for a in query.allows]
    return not any(end is not None and today > end for end in ends)


def _held(known: Known, name: str) -> tuple[AcceptedFinding, ...]:
    held = known.accepted.get(name)
    return held.findings if held is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    accepted: Mapping[str, Accepted]
    others: frozenset[str]


def _of_base(base: Base | None, place: Callable[[Site], Site]) -> _Old:
    accepted: dict[str, Accepted] = {}
    others = set()
    for item in base.queries if base is not None else ():
        if isinstance(item, Query) and item.kind is not StatementKind.UTILITY:
            accepted.setdefault(baseline.key(item), as_accepted(item, place(item.site)))
        else:
            others.add(item.original)
    return _Old(accepted=accepted, others=frozenset(others))


def as_accepted(query: Query, site: Site) -> Accepted:
    """Return a query of the base branch as one that was accepted there, of which only the text is known."""
    return Accepted(
        fingerprint=query.fingerprint,
        text=query.text,
        site=site,
        shape=(),
        rows_read=0.0,
        cost=0.0,
        search_path=query.search_path,
        tags=query.tags,
        is_captured=query.executions is not None,
    )
