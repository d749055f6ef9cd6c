"""What a report says of a query's past: whether it is new, what it was, what got worse, and who ran it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from premortem import words
from premortem.model import Accepted, Change, Plan, Planned, QueryReport, Report

#: Tags that say which part of the program ran a query, in the order in which they are told.
_TOLD = ("route", "controller", "action", "job", "application", "app", "framework", "test")
#: Says itself how often a query ran.
_N_PLUS_ONE = "query-repeated-per-row"
#: A constant or quoted name stays whole, whatever is in it.
_TOKEN = re.compile(r"(?:'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^\s'\"])+|['\"]")
#: The words that a clause begins with, as far as people break lines before them.
_STARTS = frozenset(
    "from where and or order group having limit offset join left right inner full cross union intersect except set"
    " values returning window for".split()
)
_BEFORE_JOIN = frozenset("left right inner full cross outer".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The plan of one parameter set before the change, and now."""

    parameters: str
    before: Plan
    after: Plan


def label(judged: QueryReport) -> str:
    """Return how the query differs from what was accepted, in one word; empty where nothing was compared."""
    return judged.difference.change.value if judged.difference else ""


def is_changed(judged: QueryReport) -> bool:
    """Return whether a query is new, edited or regressed; so is every query where nothing was compared."""
    return judged.difference is None or judged.difference.change is not Change.UNCHANGED


def sentence(judged: QueryReport) -> str:
    """Return what is new about a query, empty where nothing is or nothing was compared."""
    difference = judged.difference
    if difference is None or difference.change is Change.UNCHANGED:
        return ""
    regressed = difference.change is Change.REGRESSED
    head = _HEADS[difference.change] if difference.is_worse or not regressed else _no_worse(judged)
    said_already = any(f.says == difference.says for f in judged.findings)
    says = "" if said_already else words.one_line(difference.says).rstrip(".")
    return f"{head}: {says}." if says else f"{head}."


def _no_worse(judged: QueryReport) -> str:
    """Return what happened to an unedited query whose plan is no worse."""
    return "Same query, new finding" if judged.planned and judged.error is None else "Same query, no plan"


_HEADS = {
    Change.NEW: "New query",
    Change.EDITED: "Edited query",
    Change.REGRESSED: "Same query, worse plan",
}


def costs(judged: QueryReport) -> str:
    """Return what the accepted query cost and what this one does, empty where that is unknown, the same or said."""
    if judged.difference is not None and "cost" in judged.difference.says:
        return ""
    pair = compared(judged)
    if pair is not None:
        before, after = pair.before.total_cost, pair.after.total_cost
    elif judged.difference and judged.difference.was and judged.planned:
        before = judged.difference.was.cost
        after = _cost_now(judged)
    else:
        return ""
    change = words.change(before, after)
    same = change in ("the same", "about the same")
    return "" if same else f"Estimated cost {words.number(before)} → {words.number(after)} ({change})."


def _cost_now(judged: QueryReport) -> float:
    """Return what is comparable with the lock's cost: that of the dearest plan, where nothing stops early."""
    told = judged.difference.evidence if judged.difference else ()
    first = max(p.plan.total_cost for p in judged.planned)
    return next((e.value for e in told if e.name == "cost now" and isinstance(e.value, float)), first)


def compared(judged: QueryReport, parameters: str | None = None) -> Compared | None:
    """Return the plans before and now of a parameter set, else of the one that got worst; None where none was made."""
    if judged.difference is None:
        return None
    now = {p.parameters.name: p for p in judged.planned}
    pairs = [(b, now[b.parameters.name]) for b in judged.difference.before if b.parameters.name in now]
    if not pairs:
        pairs = _whatever(judged.difference.before, judged.planned)
    wanted = [pair for pair in pairs if pair[0].parameters.name == parameters]
    chosen = max(wanted or pairs, key=_growth, default=None)
    if chosen is None:
        return None
    return Compared(parameters=chosen[1].parameters.name, before=chosen[0].plan, after=chosen[1].plan)


def _whatever(before: tuple[Planned, ...], now: tuple[Planned, ...]) -> list[tuple[Planned, Planned]]:
    """Return the dearest of either, where an edit changed the parameters and no set has its like."""
    if not before or not now:
        return []
    return [(max(before, key=lambda p: p.plan.total_cost), max(now, key=lambda p: p.plan.total_cost))]


def _growth(pair: tuple[Planned, Planned]) -> float:
    return pair[1].plan.total_cost - pair[0].plan.total_cost


def outline(judged: QueryReport) -> tuple[str, ...]:
    """Return the accepted plan's outline, for when it was not planned again; empty where there is none to show."""
    difference = judged.difference
    if difference is None or difference.was is None or difference.before or difference.change is Change.UNCHANGED:
        return ()
    return difference.was.shape


def edit(judged: QueryReport) -> tuple[str, ...]:
    """Return what an edit did to the text: its clauses, each after `-`, `+` or a space; empty where there was none."""
    difference = judged.difference
    if difference is None or difference.was is None or difference.change is not Change.EDITED:
        return ()
    now = judged.query.text if judged.query else judged.original
    lines = list(difflib.unified_diff(_clauses(difference.was.text), _clauses(now), lineterm="", n=2))[2:]
    return tuple(words.shortened(line, 300) for line in lines if not line.startswith("@@"))


def _clauses(sql: str) -> list[str]:
    """Return a statement with a line for each of its clauses, however its author broke it.

    >>> _clauses("select a, b from t left join u on u.x = t.x where s = 'x  and y'")
    ['select a, b', 'from t', 'left join u on u.x = t.x', "where s = 'x  and y'"]
    """
    lines: list[list[str]] = [[]]
    for token in _TOKEN.findall(words.plain(sql)):
        word = token.lower()
        continues = word == "join" and lines[-1][-1:] and lines[-1][-1].lower() in _BEFORE_JOIN
        if word in _STARTS and lines[-1] and not continues:
            lines.append([])
        lines[-1].append(token.replace("\n", " "))
    return [" ".join(line) for line in lines]


def counts(report: Report) -> str:
    """Return how many queries are new, edited and so on, empty where nothing was compared.

    Those that were not planned again are counted among the unchanged.
    """
    every = [q.difference.change for q in report.queries if q.difference]
    if not every and not report.unchanged and not report.gone:
        return ""
    found = {change: sum(c is change for c in every) for change in Change}
    found[Change.UNCHANGED] += report.unchanged
    parts = [f"{words.number(n)} {change.value}" for change, n in found.items() if n]
    return ", ".join([*parts, *([f"{words.number(len(report.gone))} gone"] if report.gone else [])])


def gone(accepted: Accepted) -> str:
    """Return one accepted query that nobody runs any more, as a phrase."""
    return f"{words.one_line(str(accepted.site))}: {words.shortened(words.one_line(accepted.text), 120)}"


def seen(judged: QueryReport) -> str:
    """Return who ran a captured query and how often, in one or two sentences; empty for one that was not captured."""
    query = judged.query
    if query is None:
        return ""
    by = [f"{name} {words.one_line(value)}" for name, value in _ordered(query.tags)]
    often = words.plural(query.executions, "time") if query.executions is not None else ""
    told = [f"{often} in the captured run" if often else "", f"by {words.listing(by, most=4)}" if by else ""]
    ran = " ".join(part for part in told if part)
    return " ".join(s for s in (f"Ran {ran}." if ran else "", _repeated(judged)) if s)


def _repeated(judged: QueryReport) -> str:
    repeats = judged.query.repeats if judged.query else None
    if repeats is None or repeats.count < 2 or any(f.rule == _N_PLUS_ONE for f in judged.findings):
        return ""
    unit = f" ({words.one_line(repeats.unit)})" if repeats.unit else ""
    site = f", from {words.one_line(str(repeats.site))}" if repeats.site else ""
    return f"Up to {words.plural(repeats.count, 'time')} within one {words.one_line(repeats.within)}{unit}{site}."


def _ordered(tags: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the tags that say which part of the program it was."""
    return sorted((t for t in tags if t[0] in _TOLD), key=lambda t: _TOLD.index(t[0]))
