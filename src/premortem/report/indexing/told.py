"""The sentences of an answer on indexes, which every format says alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import PurePath

from premortem import words
from premortem.model import (
    Certainty,
    Explained,
    FrontierPoint,
    Gain,
    Indexing,
    Query,
    Recommendation,
    RelationName,
    Standing,
    Upkeep,
)

#: The source of the queries that production counted: their names are numbers that nobody knows.
_COUNTED = "pg_stat_statements"
_HOUR, _DAY = 3600.0, 86_400.0
#: Less than this a day is nothing to anybody.
_NEGLIGIBLE = timedelta(milliseconds=1)
STANDINGS = {
    Standing.RECOMMENDED: "RECOMMENDED",
    Standing.EXISTS: "EXISTS ALREADY",
    Standing.DECLINED: "DECLINED",
    Standing.REFUSED: "REFUSED",
}


def label(told: Indexing) -> str:
    """Return the answer in a word or two: what a person looks for first."""
    if told.recommendations:
        return "CREATE"
    if told.drops:
        return "DROP"
    if not told.effort.finished:
        return "NOTHING FOUND"
    return "NOTHING TO DO" if _least_beyond(told) is None else "NOTHING FITS"


def headline(told: Indexing) -> str:
    """Return what to do, in one sentence."""
    parts = [_creating(told)] if told.recommendations else []
    if told.drops:
        freed = words.size(sum(d.size_bytes for d in told.drops))
        parts.append(f"{words.plural(len(told.drops), 'index', 'indexes')} may go and {_give(len(told.drops))} {freed}")
    if not parts and not told.effort.finished:
        return "the search was stopped before it found a set worth having"
    least = _least_beyond(told)
    if not parts and least is not None and told.budget_bytes is not None:
        return f"the smallest set that helps takes {words.size(least)}, and {words.size(told.budget_bytes)} are allowed"
    if not parts:
        return "no index is worth having that is not there" + (" already" if told.kept or told.declined else "")
    return "; ".join(parts)


def _least_beyond(told: Indexing) -> int | None:
    """Return the size of the smallest set that helps, where even that is more than is allowed."""
    sizes = [point.size_bytes for point in told.frontier if point.indexes]
    return min(sizes) if sizes and told.budget_bytes is not None and min(sizes) > told.budget_bytes else None


def _give(count: int) -> str:
    return "gives back" if count == 1 else "give back"


def _creating(told: Indexing) -> str:
    count = words.plural(len(told.recommendations), "index", "indexes")
    size = words.size(sum(r.size_bytes for r in told.recommendations))
    return f"{count}, {size}{_of_budget(told)}"


def _of_budget(told: Indexing) -> str:
    return f" of the {words.size(told.budget_bytes)} allowed" if told.budget_bytes is not None else ""


def buys(told: Indexing) -> str:
    """Return what the whole set does to reads and writes, in one sentence."""
    reads = f"{span(told.before, told)} → {span(told.after, told)}"
    less = words.change(told.before.total_seconds(), told.after.total_seconds())
    what = "Reads" if told.is_counted else "One run of every query"
    keep = f"; keeping them costs writers {a_day(told.upkeep)}" if told.upkeep >= _NEGLIGIBLE else ""
    return f"{what}: {reads}, {less}{keep}."


def basis(told: Indexing) -> str:
    """Return what the times rest on, in one sentence."""
    if not told.is_counted or told.measured <= 0:
        why = "nobody counted the calls" if not told.is_counted else "nobody measured the queries"
        return f"Times are estimated from the planner's costs: {why}."
    if told.measured >= 0.995:
        return "Today's times are measured; what they become follows from the planner's costs."
    share = words.percent(round(told.measured, 2))
    return f"{share} of today's time is measured, the rest estimated from the planner's costs."


def certainty(told: Indexing) -> str:
    """Return how it is known that nothing gets slower, in one sentence."""
    sets = "for every set of parameter values"
    none = _none_slower(told.effort.demands) if not told.slower else _slower(told.slower)
    if told.certainty is Certainty.EXECUTED:
        return f"Executed on the mirror: {none}."
    planner = f" (PostgreSQL {words.one_line(told.facts.twin_version)})" if told.facts else ""
    return f"Planned on the twin{planner} {sets}: {none}. Not executed: --mirror DSN does."


def _none_slower(queries: int) -> str:
    return "the query gets no slower" if queries == 1 else f"none of the {words.number(queries)} queries gets slower"


def _slower(slower: Sequence[Gain]) -> str:
    named = words.listing([name(g.query) for g in slower], most=3)
    return f"{words.plural(len(slower), 'query gets', 'queries get')} slower: {named}"


def unfinished(told: Indexing) -> str:
    """Return that time was up, in one sentence; nothing where the search came to its end."""
    if told.effort.finished:
        return ""
    return f"The search was stopped after {words.duration(told.effort.seconds)}; this is the best found until then."


def effort(told: Indexing) -> str:
    """Return what the search took, in one sentence."""
    found = told.effort
    queries = words.plural(found.demands, "query", "queries")
    return (
        f"{queries}, {words.plural(found.candidates, 'candidate')}, {words.plural(found.asked, 'plan')} asked for, "
        f"{words.number(found.inferred)} inferred, {words.duration(found.seconds)}."
    )


def source(told: Indexing) -> str:
    """Return where the facts come from, in one sentence."""
    facts = told.facts
    if facts is None or facts.profile_taken_at is None:
        return ""
    exact = "" if facts.twin_is_exact else ", another major: costs may differ"
    return (
        f"Profile {words.one_line(facts.profile_name)} of {facts.profile_taken_at:%Y-%m-%d %H:%M} UTC (PostgreSQL "
        f"{words.one_line(facts.production_version)}), planned by PostgreSQL {words.one_line(facts.twin_version)} "
        f"with zero rows{exact}; premortem {facts.premortem_version}."
    )


def a_day(time: timedelta) -> str:
    """Return database time a day; it may be more than a day, for there is more than one session.

    >>> a_day(timedelta(seconds=90)), a_day(timedelta(days=3))
    ('1 min 30 s/day', '72 h/day')
    """
    return f"{hours(time)}/day"


def hours(time: timedelta) -> str:
    """Return a time in hours where it is longer than two days: it is compared with others like it."""
    seconds = time.total_seconds()
    return f"{words.number(round(seconds / _HOUR))} h" if seconds >= 2 * _DAY else words.duration(seconds)


def span(time: timedelta, told: Indexing) -> str:
    """Return a time a day, or just the time where nobody counted calls."""
    return a_day(time) if told.is_counted else hours(time)


def name(query: Query) -> str:
    """Return what people call a query: its name, its file and line, or how its text begins where production counted it.

    >>> from premortem.model import Site
    >>> name(Query(text="", original="", fingerprint="", site=Site(source="a/b.sql", line=3)))
    'b.sql:3'
    """
    site = query.site
    if site.source == _COUNTED:
        return words.shortened(words.one_line(query.text), 60)
    if site.name:
        return words.one_line(site.name)
    place = PurePath(site.source).name
    return words.one_line(place if site.line is None else f"{place}:{site.line}")


def effect(title: str, count: int, asked: Explained) -> str:
    """Return of how many of the queries on its table an index that was asked about changes the plan."""
    of = f"{words.plural(asked.readers, 'query', 'queries')} on {words.one_line(str(asked.candidate.table))}"
    return f"{title}: {count or 'none'} of {of} {'gets' if count < 2 else 'get'} another plan"


def definition(index: Recommendation | Explained) -> str:
    """Return the index as people write it, UNIQUE said."""
    candidate = index.candidate
    return words.one_line(("UNIQUE " if candidate.unique else "") + candidate.definition)


def helped(index: Recommendation) -> tuple[Gain, ...]:
    """Return the queries that use the index, those first that lose most without it."""
    return tuple(sorted(index.gains, key=lambda g: (credit(g), g.before - g.after), reverse=True))


def credit(gain: Gain) -> timedelta:
    """Return the part of a query's saving that goes away without the index."""
    return (gain.before - gain.after) * gain.share


def change(gain: Gain, told: Indexing) -> str:
    """Return what becomes of a query: its time, and how that compares."""
    before, after = gain.before.total_seconds(), gain.after.total_seconds()
    return f"{span(gain.before, told)} → {span(gain.after, told)} ({words.change(before, after)})"


def costs(gain: Gain) -> str:
    """Return the planner's costs before and after."""
    return f"cost {words.number(gain.before_cost)} → {words.number(gain.after_cost)}"


def adding(index: Recommendation, found: Indexing) -> str:
    """Return what the index saves besides those before it, and how much of what the set saves that is."""
    return f"saves {span(index.adds, found)}, {share(index)} of it all"


def share(index: Recommendation) -> str:
    """Return the part of what the set saves."""
    return words.percent(round(index.share, 2)) if index.share >= 0.005 else "under 1 %"


def losing(index: Recommendation, found: Indexing) -> str:
    """Return what is lost without the index alone, where that is another figure than what it adds."""
    if abs(index.saves - index.adds) <= 0.05 * max(index.saves, index.adds):
        return ""
    return f"without it alone, the others staying, {span(index.saves, found)} would be lost"


def upkeep(cost: Upkeep) -> str:
    """Return what an index costs those who write, in one sentence."""
    if cost.time < _NEGLIGIBLE and cost.entries < 1:
        known = f" ({words.one_line(cost.source)})" if cost.source else ""
        return f"costs writers nothing that counts{known}"
    hot = f", {words.plural(cost.lost_hot_updates, 'update')} a day no longer HOT" if cost.lost_hot_updates >= 1 else ""
    known = f" ({words.one_line(cost.source)})" if cost.source else ""
    entries = words.plural(cost.entries, "entry", "entries")
    wal = f"{words.size(cost.wal_bytes)} of WAL"
    return f"costs writers {a_day(cost.time)}: {entries} and {wal} a day{hot}{known}"


def is_paid(cost: Upkeep) -> bool:
    """Whether an index costs those who write anything that counts."""
    return cost.time >= _NEGLIGIBLE


def kept(cost: Upkeep) -> str:
    """Return what an index costs those who write, as a figure."""
    return a_day(cost.time) if is_paid(cost) else "nothing"


def price(index: Recommendation) -> str:
    """Return how large the index is, how long it builds and what that holds up, in one sentence."""
    built = f"about {words.duration(index.build_time)} to build"
    lock = f"; {words.one_line(index.lock).rstrip('.')}" if index.lock else ""
    return f"{words.size(index.size_bytes)}, {built}{lock}"


def entering(index: Recommendation) -> str:
    """Return the budget from which the index is in the best set; nothing where that was not worked out."""
    return f"in the best set from {words.size(index.enters_at)} on" if index.enters_at is not None else ""


def replacing(index: Recommendation) -> str:
    """Return which indexes it makes superfluous; nothing where there are none."""
    return f"replaces {words.listing(names(index.replaces))}" if index.replaces else ""


def names(found: Sequence[RelationName]) -> list[str]:
    """Return the names of indexes as people write them."""
    return [words.one_line(str(n)) for n in found]


def points(told: Indexing, most: int) -> tuple[FrontierPoint, ...]:
    """Return the telling points of a long frontier in its order: where most is saved, the last and the chosen."""
    every = told.frontier
    if len(every) <= most:
        return every
    steps = {n: every[n - 1].relative_cost - p.relative_cost for n, p in enumerate(every) if n}
    always = {0, len(every) - 1, *(n for n, p in enumerate(every) if p.chosen)}
    best = sorted(steps.keys() - always, key=lambda n: steps[n], reverse=True)[: most - len(always)]
    return tuple(every[n] for n in sorted({*always, *best}))


def changed(point: FrontierPoint) -> str:
    """Return which indexes came and went with a point of the frontier."""
    came = [f"+ {words.one_line(n)}" for n in point.added]
    went = [f"- {words.one_line(n)}" for n in point.removed]
    return ", ".join([*came, *went])


def next_steps(told: Indexing, again: str) -> Iterator[tuple[str, str]]:
    """Yield what to type next, each command with what it is for."""
    if not again:
        return
    if told.recommendations or told.drops:
        yield f"{again} --format sql > indexes.sql", "the script to run, with undo"
        yield f"{again} --format html -o indexes.html", "every query before and after, and the frontier"
    if told.recommendations and told.certainty is Certainty.PLANNED:
        yield f"{again} --mirror DSN", "build and execute it on a mirror first"
