"""Many statements that start to hurt together are told once: one lost index is one cause, not sixty alerts.

A statement whose own alert is open keeps it; the others join, and go on joining while the common alert is open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from premortem import words
from premortem.model import AlertKind, Evidence, Source
from premortem.watch.readings import Reading

#: What the subject of a common alert begins with; no fingerprint does.
TABLE = "table "
EVERYWHERE = "many statements"
_DO = {
    AlertKind.SLOW: "are too slow",
    AlertKind.RUNNING: "run too long",
    AlertKind.HEAVY: "are new and heavy",
    AlertKind.PLAN: "became slower with new plans",
}


def gathered(
    readings: Iterable[Reading],
    is_open: Callable[[Reading], bool],
    is_muted: Callable[[Reading], bool],
    *,
    of_a_table: int,
    at_once: int,
) -> tuple[Reading, ...]:
    """Return the readings with those put together that are too many to be told one by one; a muted one stays alone."""
    those, others = _parted(readings, lambda r: r.gathers and not r.under and not is_open(r) and not is_muted(r))
    by_table = _gathered(those, _table, of_a_table, is_open)
    singles, common = _parted(by_table, lambda r: r.gathers)
    return (*others, *common, *_gathered(singles, _everywhere, at_once, is_open))


def _parted(
    readings: Iterable[Reading], wanted: Callable[[Reading], bool]
) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
    every = tuple(readings)
    return tuple(r for r in every if wanted(r)), tuple(r for r in every if not wanted(r))


def _family(reading: Reading) -> AlertKind:
    return AlertKind.SLOW if reading.kind is AlertKind.RUNNING else reading.kind


def _table(reading: Reading) -> tuple[AlertKind, str, str]:
    subject = f"{TABLE}{reading.tables[0]}" if reading.tables else ""
    return _family(reading), reading.database, subject


def _everywhere(reading: Reading) -> tuple[AlertKind, str, str]:
    return _family(reading), "", EVERYWHERE


def _gathered(
    readings: Iterable[Reading],
    group: Callable[[Reading], tuple[AlertKind, str, str]],
    most: int,
    is_open: Callable[[Reading], bool],
) -> tuple[Reading, ...]:
    groups: dict[tuple[AlertKind, str, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        groups[group(reading)].append(reading)
    found: list[Reading] = []
    for (_, database, subject), members in groups.items():
        common = _common(members, database, subject)
        over = sum(r.over for r in members)
        found += [common] if subject and (over > most or is_open(common)) else members
    return tuple(found)


def _common(members: Sequence[Reading], database: str, subject: str) -> Reading:
    over = [r for r in members if r.over] or list(members)
    worst = max(over, key=lambda r: (r.kind is not AlertKind.RUNNING, r.page, r.value / max(r.limit, 1e-9)))
    on = f" on {subject.removeprefix(TABLE)}" if subject.startswith(TABLE) else ""
    return replace(
        worst,
        database=database,
        subject=subject,
        says=f"{words.plural(len(over), 'statement')}{on} {_DO[worst.kind]}; the worst: {worst.says}",
        over=any(r.over for r in members),
        under=False,
        page=any(r.page for r in over),
        gathers=False,
        evidence=(
            Evidence(name="statements", value=float(len(over)), source=Source.WORKLOAD),
            Evidence(name="fingerprints", value=" ".join(r.subject for r in over[:50]), source=Source.WORKLOAD),
            *worst.evidence,
        ),
    )
