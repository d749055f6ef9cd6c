"""The report for a person at a terminal: what hurts, where in the plan, and what to type.

The only renderer that uses Rich, which lays out at the width that it is told and writes into memory.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from premortem import words
from premortem.model import Advice, Change, Finding, Plan, QueryReport, Report, Severity, Verdict
from premortem.plans import PlanLine
from premortem.report import novelty, story, tree
from premortem.report.look import Look
from premortem.report.now.lines import Line

_STYLES = {Verdict.FAIL: "bold red", Verdict.UNKNOWN: "bold yellow", Verdict.PASS: "bold green"}
_LABELS = {Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "COULD NOT TELL", Verdict.PASS: "PASS"}
_SEVERITIES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_CREATE_INDEX = re.compile(r'(CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:"(?:[^"]|"")*"|\S+)) (ON .*)')
_QUERY_LINES = 12
_PLAN_LINES = 40
_MOST_GAPS = 8
_MOST_LISTED = 20
_EDITS = {"-": "red", "+": "green"}


def render(report: Report, *, look: Look) -> str:
    """Return the report as text of the look's width, with escape sequences only where colours may be used."""
    return _printed(_parts(report, look), look)


def painted(lines: Iterable[Line], *, look: Look) -> str:
    """Return the lines of a screen as text of the look's width; one that must stay whole may be wider."""
    return _printed((_painted(line) for line in lines), look)


def _painted(line: Line) -> RenderableType:
    text = Text(no_wrap=line.whole)
    for said, style in line.parts:
        text.append(said, style=style)
    if line.whole:
        return Text(" " * line.inset, no_wrap=True).append_text(text)
    return _inset(text, line.inset)


def _printed(parts: Iterable[RenderableType], look: Look) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=look.width,
        color_system="standard" if look.colour else None,
        force_terminal=look.colour,
        no_color=not look.colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )
    for part in parts:
        console.print(part, crop=False, overflow="ignore" if isinstance(part, Text) and part.no_wrap else None)
    return "\n".join(words.no_command(line.rstrip()) for line in stream.getvalue().splitlines()) + "\n"


def _parts(report: Report, look: Look) -> Iterator[RenderableType]:
    for judged in reversed(story.ordered(report.queries)):
        if look.details or _has_something(judged):
            yield from _query(judged, look)
    yield from _quiet(report, look)
    for place, found in story.by_place(report.findings):
        yield Text(place, style="bold")
        for finding in found:
            yield from _finding(None, finding)
        yield Text()
    yield from _gone(report, look)
    yield from _gaps(report, look)
    yield _head(_LABELS[report.verdict], _STYLES[report.verdict], story.headline(report))
    yield _note(story.source(report))


def _has_something(judged: QueryReport) -> bool:
    regressed = judged.difference is not None and judged.difference.change is Change.REGRESSED
    return judged.verdict is not Verdict.PASS or bool(judged.findings) or regressed


def _quiet(report: Report, look: Look) -> Iterator[RenderableType]:
    """Yield a line for each query that is new or edited and has nothing wrong."""
    quiet = [q for q in report.queries if q.difference and novelty.sentence(q) and not _has_something(q)]
    if look.details or not quiet:
        return
    for judged in quiet[:_MOST_LISTED]:
        said = ("PASS", _STYLES[Verdict.PASS]), "  ", story.places(judged), (f"  {story.quiet(judged)}", "dim")
        yield Text.assemble(*said)
    yield from _more(len(quiet) - _MOST_LISTED, "query", "queries")
    yield Text()


def _gone(report: Report, look: Look) -> Iterator[RenderableType]:
    most = len(report.gone) if look.details else _MOST_LISTED
    for accepted in report.gone[:most]:
        yield _note(f"gone  {novelty.gone(accepted)}")
    yield from _more(len(report.gone) - most, "gone query", "gone queries")
    if report.gone:
        yield Text()


def _more(count: int, singular: str, plural: str) -> Iterator[RenderableType]:
    if count > 0:
        yield _note(f"… and {words.plural(count, f'more {singular}', f'more {plural}')}; --format json has them all")


def _head(label: str, style: str, said: str) -> Text:
    return Text.assemble((label, style), "  ", (words.one_line(said), "bold"))


def _note(said: str) -> Text:
    return Text(words.one_line(said), style="dim")


def _inset(text: Text, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by))


def _query(judged: QueryReport, look: Look) -> Iterator[RenderableType]:
    yield _head(_LABELS[judged.verdict], _STYLES[judged.verdict], story.places(judged))
    most = 200 if look.details else _QUERY_LINES
    text = words.first_lines(judged.original, lines=most, characters=20_000)
    yield _inset(Text(text, style="dim"), 4)
    yield Text()
    yield from _past(judged)
    if judged.error is not None:
        yield _inset(Text(words.plain(judged.error), style="yellow"))
    if judged.hint:
        yield _inset(Text(f"hint: {words.one_line(judged.hint)}"))
    first = story.first_of_remedy(judged.findings)
    for place, finding in enumerate(story.by_severity(judged.findings)):
        told_below = look.details and finding.parameters == story.PASTED
        yield from _finding(judged, finding, lead=place == 0 and not told_below, cures=finding.key in first)
    yield from _executions(judged, look)
    if look.details:
        yield from _details(judged)
    yield from (_inset(_note(f"allowed: {s.finding.rule} ({s.reason})")) for s in judged.suppressed)
    yield Text()


def _past(judged: QueryReport) -> Iterator[RenderableType]:
    """Yield what is new about the query, who ran it and who owns it, and its plan before where that was made."""
    for said in (novelty.sentence(judged), novelty.costs(judged), novelty.seen(judged), story.owners(judged)):
        if said:
            yield _inset(Text(words.one_line(said)))
    for line in novelty.edit(judged)[:_QUERY_LINES]:
        yield _inset(Text(line, style=_EDITS.get(line[:1], "dim")), 4)
    lead = next(iter(story.by_severity(judged.findings)), None)
    pair = novelty.compared(judged, lead.parameters if lead else None)
    if pair is not None and novelty.sentence(judged):
        yield _inset(Text(f"before, for {story.values_of(pair.parameters)}:"))
        yield from _plan(pair.before, None)
        if lead is None or story.shown(judged, lead) is None:
            yield _inset(Text("now:"))
            yield from _plan(pair.after, None)
        yield Text()
    yield from _outline(novelty.outline(judged))


def _outline(lines: Sequence[str]) -> Iterator[RenderableType]:
    if lines:
        yield _inset(Text("the accepted plan:"))
        yield from (_inset(Text(words.plain(line), style="dim"), 4) for line in lines[:_PLAN_LINES])
        yield Text()


def _finding(
    judged: QueryReport | None, finding: Finding, *, lead: bool = True, cures: bool = True
) -> Iterator[RenderableType]:
    """Yield a finding; only the query's `lead` shows a plan, only the first that `cures` so shows the statements."""
    label = Text.assemble((finding.severity.value, _SEVERITIES[finding.severity]), f" {words.one_line(finding.rule)}: ")
    label.append(words.one_line(finding.says))
    yield _inset(label)
    if judged is not None and lead:
        facts = (story.hurts_with(judged, finding), story.call_rate(judged))
        if said := " ".join(f for f in facts if f):
            yield _inset(Text(words.one_line(said)))
        yield from _hot_plan(judged, finding)
    yield from _remedy(judged, finding, told=not cures)


def _hot_plan(judged: QueryReport, finding: Finding) -> Iterator[RenderableType]:
    shown = story.shown(judged, finding)
    if shown is None:
        return
    yield Text()
    yield from _plan(shown.before, shown.hot)
    if shown.after is not None:
        yield _inset(Text(f"with the index, for {story.values_of(shown.parameters)}:"))
        yield from _plan(shown.after, None)
    yield Text()


def _plan(plan: Plan, hot: tuple[int, ...] | None, notes: story.Notes = story.NO_NOTES) -> Iterator[RenderableType]:
    every = tree.rows(plan, hot=hot)
    shown = _around(every, hot)
    for row in shown:
        yield from _plan_row(row, hot)
        yield from _notes(row, notes)
    if len(shown) < len(every):
        yield _inset(_note(f"… {words.plural(len(every) - len(shown), 'more node')}"), 4)


def _around(every: Sequence[tree.Row], hot: tuple[int, ...] | None) -> tuple[tree.Row, ...]:
    """Return the beginning of a long plan, with the hot node and the way down to it."""
    rest = (row for row in every[_PLAN_LINES:] if isinstance(row, PlanLine))
    return (*every[:_PLAN_LINES], *(row for row in rest if hot is not None and hot[: len(row.path)] == row.path))


def _plan_row(row: tree.Row, hot: tuple[int, ...] | None) -> Iterator[RenderableType]:
    style = "dim" if isinstance(row, tree.Alike) else "bold red" if row.path == hot else ""
    for text in tree.row_lines(row, hot=hot):
        indent = len(text) - len(text.lstrip())
        hanging = Text(text.lstrip(), style=style)
        yield Padding(hanging, (0, 0, 0, 4 + min(indent, 40)))


def _notes(row: tree.Row, notes: story.Notes) -> Iterator[RenderableType]:
    """Yield what was found at a node, and how long it took itself, under it."""
    for severity, said in notes.get(row.path, ()) if isinstance(row, PlanLine) else ():
        style = _SEVERITIES[severity] if severity is not None else "dim"
        yield Padding(Text(f"▲ {words.one_line(said)}", style=style), (0, 0, 0, 6 + min(3 * row.depth, 40)))


def _remedy(judged: QueryReport | None, finding: Finding, *, told: bool) -> Iterator[RenderableType]:
    remedy = finding.remedy
    if remedy is None:
        return
    if remedy.says:
        yield _inset(Text(story.sentence(remedy.says)))
    if told or not remedy.sql:
        return
    yield from (Text(line, style="bold green", no_wrap=True) for sql in remedy.sql for line in _copyable(sql))
    if judged is None:
        return
    said = (story.gain(finding, judged), story.least_gain(judged, finding), story.proof_sentence(judged, finding))
    yield _inset(Text(" ".join(s for s in said if s)))
    for advice in story.helping(judged, finding):
        yield _inset(Text(words.one_line(story.price(advice))))


def _copyable(sql: str) -> tuple[str, ...]:
    """Return a statement as lines to be copied: CREATE INDEX broken after its name, nothing else broken anywhere.

    A line may be longer than the terminal is wide: breaking it elsewhere could break a constant in it.
    """
    lines = words.plain(sql).splitlines()
    found = _CREATE_INDEX.fullmatch(lines[0]) if len(lines) == 1 and len(sql) > 70 else None
    broken = [found[1], f"    {found[2]}"] if found else lines
    return tuple(f"    {line}" for line in broken)


def _executions(judged: QueryReport, look: Look) -> Iterator[RenderableType]:
    """Yield what the mirror said; the executed plans only where details are wanted."""
    executed = judged.executed
    if executed is None or not executed.before:
        return
    yield Text()
    yield _inset(Text(story.where_executed(executed)))
    table = Table(box=None)
    for place, heading in enumerate(story.execution_headings(executed)):
        table.add_column(heading, justify="right" if place else "left")
    for row in story.executions(executed):
        table.add_row(*row)
    yield Padding(table, (0, 0, 1, 2))
    for title, ran in story.executed_plans(executed) if look.details else ():
        yield _inset(Text(title, style="bold"))
        yield from _plan(ran, None)
        yield Text()


def _details(judged: QueryReport) -> Iterator[RenderableType]:
    yield Text()
    for planned in judged.planned:
        yield _inset(Text(story.title(planned.parameters), style="bold"))
        values = [words.shortened("NULL" if v is None else repr(v), 40) for v in planned.parameters.values]
        if values:
            named = ", ".join(f"${n} = {v}" for n, v in enumerate(values, start=1))
            yield _inset(_note(words.shortened(words.one_line(named), 600)))
        yield from _plan(planned.plan, None, story.at_nodes(judged, planned))
        yield Text()
    for advice in judged.advice:
        yield _inset(Text(f"cost with {words.one_line(advice.name)}", style="bold"))
        yield _effects(advice)
    declined = story.declined(judged)
    if declined:
        yield _inset(Text("considered and declined", style="bold"))
    for one in declined:
        yield _inset(Text(f"{words.one_line(one.candidate.definition)}: {words.one_line(one.reason)}"), 4)


def _effects(advice: Advice) -> RenderableType:
    table = Table(box=None)
    table.add_column("parameters")
    for heading in story.effect_headings(advice):
        table.add_column(heading, justify="right")
    for effect in advice.effects:
        table.add_row(words.one_line(effect.parameters), *story.effect_costs(advice, effect))
    return Padding(table, (0, 0, 1, 2))


def _gaps(report: Report, look: Look) -> Iterator[RenderableType]:
    gaps = story.gaps(report)
    most = len(gaps) if look.details else _MOST_GAPS
    if gaps:
        yield Text(f"premortem could not see {words.plural(len(gaps), 'thing')}:")
    for gap in gaps[:most]:
        said = story.gap_sentence(gap) if look.details else f"{gap.subject}: {gap.says}"
        yield _inset(Text(f"· {words.one_line(said)}", style="dim"))
    if len(gaps) > most:
        yield _inset(_note(f"· and {len(gaps) - most} more; --format json has them all"))
    if gaps:
        yield Text()
