"""What the HTML page shows, as flat values for its template: a card for each query, a panel for each plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from premortem import words
from premortem.model import Advice, Finding, Node, Plan, QueryReport, Report, Verdict
from premortem.plans import own_times, total_ms
from premortem.report import novelty, story, tree

#: So many of the queries that have nothing wrong are shown, with one plan each.
MOST_QUIET = 1_000
#: So many of the queries that have something are open when the page is.
_OPEN = 10
_MOST_ROWS = 400
_TEXT_LINES, _TEXT_CHARACTERS = 400, 20_000
_UNKNOWN = "unknown"


#: What a node took, by its path: as a percentage, and in words.
Spent: TypeAlias = Mapping[tuple[int, ...], tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of a plan; `closes` counts the branches that end with it, `has_more` says that a branch begins."""

    label: str
    subplan: str = ""
    figures: str = ""
    spent: str = ""
    rows: str = ""
    spent_share: int = 0
    rows_share: int = 0
    details: tuple[str, ...] = ()
    is_hot: bool = False
    has_more: bool = False
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plan with its title, as a tree, as EXPLAIN prints it (to copy), or both."""

    title: str
    cost: str
    steps: tuple[Step, ...]
    text: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One finding: what it says, what else there is to know, and what to type."""

    severity: str
    rule: str
    says: str
    facts: tuple[str, ...]
    sql: str = ""
    undo: str = ""
    proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The costs of every parameter set, with and without an index."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One query."""

    number: int
    verdict: str
    severity: str
    label: str
    place: str
    is_changed: bool
    is_open: bool
    past: tuple[str, ...]
    error: str
    hint: str
    text: str
    edit: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    panels: tuple[Panel, ...]
    others: tuple[Panel, ...]
    others_title: str
    executed: tuple[Panel, ...]
    executed_title: str
    outline: tuple[str, ...]
    grids: tuple[Grid, ...]
    declined: tuple[tuple[str, str], ...]
    allowed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place that findings about no single query stand at."""

    name: str
    severity: str
    notes: tuple[Note, ...]


def split(report: Report) -> tuple[list[QueryReport], list[QueryReport]]:
    """Return the queries that have something, worst first, and those that have nothing, as many as are shown."""
    every = [q for q in story.ordered(report.queries) if not story.is_skipped(q)]
    told = [q for q in every if _has_something(q)]
    return told, [q for q in every if not _has_something(q)][:MOST_QUIET]


def _has_something(judged: QueryReport) -> bool:
    return judged.verdict is not Verdict.PASS or bool(judged.findings) or novelty.label(judged) == "regressed"


def left_out(report: Report) -> str:
    """Return how many queries are not on the page, and why, as a sentence; empty where all are."""
    every = [q for q in report.queries if not story.is_skipped(q)]
    quiet = sum(not _has_something(q) for q in every) - MOST_QUIET
    skipped = len(report.queries) - len(every)
    parts = [f"{words.plural(quiet, 'more query', 'more queries')} with nothing found"] if quiet > 0 else []
    parts += [f"{words.plural(skipped, 'statement')} without a plan (SET, CREATE TABLE)"] if skipped else []
    unchanged = words.plural(report.unchanged, "unchanged query", "unchanged queries")
    parts += [f"{unchanged} that needed no plan"] if report.unchanged else []
    return f"Not shown: {words.listing(parts)}." if parts else ""


def gone(report: Report) -> tuple[str, ...]:
    """Return the accepted queries that nobody runs any more."""
    return tuple(novelty.gone(a) for a in report.gone)


def gaps(report: Report) -> tuple[str, ...]:
    """Return what premortem could not see."""
    return tuple(story.gap_sentence(g) for g in story.gaps(report))


def card(judged: QueryReport, number: int, *, whole: bool) -> Card:
    """Return a query's card; not `whole`, it has the dearest plan only."""
    lead = next(iter(story.by_severity(judged.findings)), None)
    panels = tuple(_panels(judged, lead))
    others = () if panels and len(judged.planned) == 1 else tuple(_others(judged, whole=whole))
    return Card(
        number=number,
        verdict=judged.verdict.value,
        severity=_severity(judged, lead),
        label=_label(judged),
        place=story.places(judged),
        is_changed=novelty.is_changed(judged),
        is_open=number <= _OPEN and _has_something(judged),
        past=tuple(s for s in _past(judged) if s),
        error=words.plain(judged.error or ""),
        hint=words.one_line(judged.hint or ""),
        text=words.first_lines(judged.original, lines=_TEXT_LINES, characters=_TEXT_CHARACTERS),
        edit=tuple((_EDITS.get(line[:1], "same"), line) for line in novelty.edit(judged)),
        notes=tuple(_notes(judged)),
        panels=panels,
        others=others,
        others_title=_others_title(judged, whole=whole),
        outline=tuple(words.plain(line) for line in novelty.outline(judged)),
        executed=tuple(_executed(judged)) if whole else (),
        executed_title=story.executed_title(judged),
        grids=(*_executions(judged), *(_grid(a) for a in judged.advice)),
        declined=tuple(
            (words.one_line(d.candidate.definition), words.one_line(d.reason)) for d in story.declined(judged)
        ),
        allowed=tuple((words.one_line(s.finding.rule), words.one_line(s.reason)) for s in judged.suppressed),
    )


_EDITS = {"-": "old", "+": "new"}


def _label(judged: QueryReport) -> str:
    label = novelty.label(judged)
    return "" if label == "unchanged" else label


def _severity(judged: QueryReport, lead: Finding | None) -> str:
    if judged.error is not None:
        return _UNKNOWN
    return lead.severity.value if lead else "none"


def _past(judged: QueryReport) -> tuple[str, ...]:
    return (
        novelty.sentence(judged),
        novelty.costs(judged),
        novelty.seen(judged),
        story.call_rate(judged),
        story.owners(judged),
    )


def place(name: str, found: Sequence[Finding]) -> Place:
    """Return a place with what stands there."""
    first = story.first_of_remedy(found)
    notes = tuple(_note(f, (), cures=f.key in first) for f in found)
    return Place(name=name, severity=found[0].severity.value, notes=notes)


def _notes(judged: QueryReport) -> Iterator[Note]:
    first = story.first_of_remedy(judged.findings)
    for finding in story.by_severity(judged.findings):
        prices = [story.price(a) for a in story.helping(judged, finding)]
        proof = [
            story.gain(finding, judged),
            story.least_gain(judged, finding),
            story.proof_sentence(judged, finding),
            *prices,
        ]
        yield _note(finding, tuple(s for s in proof if s), cures=finding.key in first, judged=judged)


def _note(finding: Finding, proof: tuple[str, ...], *, cures: bool, judged: QueryReport | None = None) -> Note:
    remedy = finding.remedy
    hurts = story.hurts_with(judged, finding) if judged else ""
    facts = (hurts, story.sentence(remedy.says) if remedy else "")
    shown = remedy if remedy is not None and cures else None
    return Note(
        severity=finding.severity.value,
        rule=words.one_line(finding.rule),
        says=story.sentence(finding.says),
        facts=tuple(f for f in facts if f),
        sql=words.plain("\n".join(shown.sql)) if shown else "",
        undo=words.plain("\n".join(shown.undo)) if shown else "",
        proof=proof if shown else (),
    )


def _panels(judged: QueryReport, lead: Finding | None) -> Iterator[Panel]:
    """Yield the plans to be seen side by side: before the change, now, and with the index."""
    pair = novelty.compared(judged, lead.parameters if lead else None) if novelty.sentence(judged) else None
    shown = story.shown(judged, lead) if lead is not None else None
    if pair is not None:
        yield panel(f"before, for {story.values_of(pair.parameters)}", pair.before)
    if shown is not None:
        yield panel(f"now, for {story.values_of(shown.parameters)}", shown.before, hot=shown.hot)
        if shown.after is not None:
            yield panel(f"with the index, for {story.values_of(shown.parameters)}", shown.after)
    elif pair is not None:
        yield panel(f"now, for {story.values_of(pair.parameters)}", pair.after)


def _others(judged: QueryReport, *, whole: bool) -> Iterator[Panel]:
    """Yield the plans of the parameter sets, folded away; where not `whole`, the dearest as text."""
    if whole:
        yield from (panel(story.title(p.parameters), p.plan, as_text=False) for p in judged.planned)
    elif judged.planned:
        dearest = max(judged.planned, key=lambda p: p.plan.total_cost)
        yield panel(story.title(dearest.parameters), dearest.plan, as_tree=False)


def _others_title(judged: QueryReport, *, whole: bool) -> str:
    sets = words.plural(len(judged.planned), "parameter set")
    return f"Plans for {sets}" if whole or len(judged.planned) < 2 else f"The dearest of the plans for {sets}"


def panel(
    title: str, plan: Plan, *, hot: tuple[int, ...] | None = None, as_tree: bool = True, as_text: bool = True
) -> Panel:
    """Return a plan as a tree of rows and as text, long ones cut."""
    rows = tree.rows(plan, hot=hot)
    text = words.first_lines(tree.text(plan, hot=hot), lines=_MOST_ROWS, characters=100_000) if as_text else ""
    steps = tuple(_steps(rows[:_MOST_ROWS], _spent(plan), hot)) if as_tree else ()
    left = max(len(rows) - len(steps), 0) if as_tree else 0
    more = f"… and {words.plural(left, 'more node')}" if left else ""
    return Panel(title=words.one_line(title), cost=_price(plan), steps=steps, text=text, more=more)


def _price(plan: Plan) -> str:
    took = total_ms(plan)
    time = f", {words.duration(took / 1000)}" if took is not None else ""
    return f"cost {words.number(plan.total_cost)}{time}"


def _spent(plan: Plan) -> Spent:
    """Return each node's share: of the time, itself alone, where the plan was measured, else of the estimated cost."""
    times = own_times(plan)
    whole = sum(times.values())
    if whole > 0:
        return {path: (_share(ms, whole), f"took {words.duration(ms / 1000)} itself") for path, ms in times.items()}
    return {
        node.path: (_share(node.total_cost, plan.total_cost), f"cost {words.number(node.total_cost)}, all below it too")
        for node in plan.walk()
    }


def _steps(rows: Sequence[tree.Row], spent: Spent, hot: tuple[int, ...] | None) -> Iterator[Step]:
    most = max((_rows(r.node) for r in rows if not isinstance(r, tree.Alike)), default=1.0)
    depths = [row.depth for row in rows]
    for place, row in enumerate(rows):
        yield _step(row, spent, most, hot, _following(depths, place))


def _following(depths: Sequence[int], place: int) -> int:
    """Return by how much the next row is deeper; at the end, as deep as nothing is."""
    return (depths[place + 1] if place + 1 < len(depths) else depths[0]) - depths[place]


def _step(row: tree.Row, spent: Spent, most: float, hot: tuple[int, ...] | None, deeper: int) -> Step:
    closes = max(-deeper, 0)
    if isinstance(row, tree.Alike):
        return Step(label=row.says, closes=closes)
    share, said = spent.get(row.path, (0, "never executed"))
    return Step(
        label=words.one_line(row.label),
        subplan=words.one_line(row.subplan or ""),
        figures=tree.figures(row.node),
        spent=said,
        rows=words.number(_rows(row.node)),
        spent_share=share,
        rows_share=_share(math.log10(1 + _finite(_rows(row.node))), math.log10(1 + _finite(most))),
        details=tree.details(row),
        is_hot=row.path == hot,
        has_more=deeper > 0,
        closes=closes,
    )


def _rows(node: Node) -> float:
    """Return the rows of all executions of a node where it was measured, else those that the planner expects."""
    return node.actual.rows * node.actual.loops if node.actual is not None else node.rows


def _finite(value: float) -> float:
    return min(max(value, 0.0), 1e300) if not math.isnan(value) else 0.0


def _share(part: float, whole: float) -> int:
    share = _finite(part) / _finite(whole) if _finite(whole) > 0 else 0.0
    return round(100 * min(share, 1.0))


def _executed(judged: QueryReport) -> Iterator[Panel]:
    """Yield the plans that were executed on the mirror."""
    if judged.executed is not None and judged.executed.before:
        yield from (panel(title, plan) for title, plan in story.executed_plans(judged.executed))


def _executions(judged: QueryReport) -> Iterator[Grid]:
    executed = judged.executed
    if executed is not None and executed.before:
        yield Grid(
            title=story.executed_title(judged),
            headings=story.execution_headings(executed),
            rows=story.executions(executed),
            notes=(story.where_executed(executed),),
        )


def _grid(advice: Advice) -> Grid:
    return Grid(
        title=f"Cost for every parameter set: {words.one_line(advice.name)}",
        headings=("parameters", *story.effect_headings(advice)),
        rows=tuple((words.one_line(e.parameters), *story.effect_costs(advice, e)) for e in advice.effects),
        notes=tuple(story.sentence(n) for n in advice.notes),
    )
