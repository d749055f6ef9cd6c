"""The score: one row per case, a table for the terminal and a page for the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from case import Case
from judge import Verdict
from measure import Readings


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case, its verdict, and its figures for the parameter set that hurts most."""

    name: str
    kind: str
    source: str
    good: bool
    says: str
    worst: str
    before: int
    reference: int
    after: int
    milliseconds: float
    after_milliseconds: float
    indexes: tuple[str, ...]
    added_bytes: int


def row(
    case: Case,
    verdict: Verdict,
    *,
    before: Readings,
    reference: Readings,
    after: Readings,
    indexes: Sequence[str],
    added_bytes: int,
) -> Row:
    """A row for the parameter set in which the reference index saves most."""
    worst = max(before, key=lambda name: before[name].buffers - reference[name].buffers)
    return Row(
        name=case.name,
        kind=case.kind,
        source=case.source,
        good=verdict.good,
        says=verdict.says,
        worst=worst,
        before=before[worst].buffers,
        reference=reference[worst].buffers,
        after=after[worst].buffers,
        milliseconds=before[worst].milliseconds,
        after_milliseconds=after[worst].milliseconds,
        indexes=tuple(indexes),
        added_bytes=added_bytes,
    )


def line(one: Row) -> str:
    """The row for the terminal."""
    mark = "ok  " if one.good else "MISS"
    index = "; ".join(" ".join(statement.split()) for statement in one.indexes)
    return (
        f"{mark} {one.name:<44} {one.kind:<8} {one.worst:<9} {one.before:>9,} -> {one.after:>9,} "
        f"(ref {one.reference:>7,}) {one.milliseconds:>9.1f} -> {one.after_milliseconds:>8.1f} ms "
        f"{one.added_bytes / 1e6:>6.1f} MB  {one.says}" + (f"\n         {index}" if index else "")
    )


JUDGED = {"incident": "incidents caught", "quiet": "quiet queries left alone"}
VALIDATED = {"incident": "incidents are sound", "quiet": "quiet queries are sound"}


def totals(rows: Sequence[Row], words: Mapping[str, str] = JUDGED) -> str:
    """How many incidents were caught and how many quiet queries were left alone."""
    kinds = {kind: [one for one in rows if one.kind == kind] for kind in words}
    return ", ".join(
        f"{sum(one.good for one in kinds[kind])} of {len(kinds[kind])} {word}" for kind, word in words.items()
    )


def page(rows: Sequence[Row], major: int) -> str:
    """SCORE.md: no dates and no times, so that it changes only when the score does."""
    head = (
        f"# Score on the incidents\n\n{totals(rows)} (PostgreSQL {major}; `python bench/incidents/run.py`).\n\n"
        "Buffers are shared buffers touched by one execution with the parameter set that gains most from the "
        "reference index; *with proposals* is measured with every proposed index really built.\n\n"
    )
    table = [
        "| case | kind | buffers before | reference | with proposals | proposals | verdict |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for one in rows:
        table.append(
            f"| [{one.name}](cases/{one.name}.toml) | {one.kind} | {one.before:,} | {one.reference:,} | "
            f"{one.after:,} | {len(one.indexes)} | {'**' if not one.good else ''}{one.says}"
            f"{'**' if not one.good else ''} |"
        )
    return head + "\n".join(table) + "\n"
