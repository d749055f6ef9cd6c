"""Values that go together, where CREATE STATISTICS (mcv) knows: a hot combination, and a rare one of common values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem.model import ExtendedStatistics, Profile, Table
from premortem.parameters.uses import Role, Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Values by parameter number, with their basis."""

    values: Mapping[int, str]
    how: str
    name: str


def combinations(found: Sequence[Use], profile: Profile) -> tuple[Combination | None, Combination | None]:
    """Return the most common combination, and one that is rare although each of its values is common."""
    known = list(_known(found, profile))
    if not known:
        return None, None
    table, statistics, members = max(known, key=lambda k: (len(k[2]), k[1].name))
    name = f"{table.full_name} ({', '.join(statistics.keys[k] for k in members.values())})"
    items = _projected(statistics, tuple(members.values()))
    hot = next(iter(items), None)
    rare = _rare(statistics, items, tuple(members.values()))
    return _combination(hot, members, "most common combination of", name), _combination(
        rare, members, "rare combination of common values of", name
    )


def _known(found: Iterable[Use], profile: Profile) -> Iterator[tuple[Table, ExtendedStatistics, Mapping[int, int]]]:
    """Yield extended statistics with an MCV list over two or more compared columns of one relation."""
    groups: dict[tuple[object, object], list[Use]] = {}
    for use in found:
        if use.role is Role.EQUALITY and use.relation and use.column and use.ordinal == 0:
            groups.setdefault((use.alias, use.relation), []).append(use)
    for group in groups.values():
        table = profile.table(group[0].relation) if group[0].relation else None
        for statistics in table.statistics if table else ():
            members = {u.parameter: statistics.keys.index(u.column) for u in group if u.column in statistics.keys}
            if table and statistics.most_common_values and len(set(members.values())) > 1:
                yield table, statistics, members


def _projected(statistics: ExtendedStatistics, keys: tuple[int, ...]) -> dict[tuple[str, ...], float]:
    """Return the combinations of some keys with their frequencies, most common first; NULLs are left out."""
    sums: dict[tuple[str, ...], float] = {}
    shares = statistics.most_common_frequencies or ()
    for item, share in zip(statistics.most_common_values or (), shares, strict=False):
        values = tuple(v for k in keys if (v := item[k]) is not None)
        if len(values) == len(keys):
            sums[values] = sums.get(values, 0.0) + share
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))


def _rare(
    statistics: ExtendedStatistics, items: Mapping[tuple[str, ...], float], keys: tuple[int, ...]
) -> tuple[str, ...] | None:
    """Return two common values that hardly meet: the hottest of the first key with the hottest it is not seen with."""
    if len(keys) != 2 or not items:
        return min(items, key=lambda i: (items[i], i)) if len(items) > 1 else None
    first, second = _hottest(items, 0), _hottest(items, 1)
    pairs = ((a, b) for total in range(len(first) + len(second)) for a, b in _diagonal(first, second, total))
    unseen = next((pair for pair in pairs if pair not in items), None)
    return unseen or min(items, key=lambda i: (items[i], i))


def _hottest(items: Mapping[tuple[str, ...], float], position: int) -> list[str]:
    sums: dict[str, float] = {}
    for item, share in items.items():
        sums[item[position]] = sums.get(item[position], 0.0) + share
    return sorted(sums, key=lambda v: (-sums[v], v))


def _diagonal(first: Sequence[str], second: Sequence[str], total: int) -> Iterator[tuple[str, str]]:
    for i in range(max(0, total - len(second) + 1), min(total + 1, len(first))):
        yield first[i], second[total - i]


def _combination(values: tuple[str, ...] | None, members: Mapping[int, int], how: str, name: str) -> Combination | None:
    if values is None:
        return None
    return Combination(values=dict(zip(members, values, strict=True)), how=how, name=name)
