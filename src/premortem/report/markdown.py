"""The report as a pull-request comment that a reviewer understands in ten seconds.

First the verdict, then for each query that has something: where it stands, what is new about it, one sentence with
numbers, the index to create, and how sure that is.  Plans, other findings and gaps are folded.  The whole stays under
the limit of where it is posted: whole parts are left out, of the least important first, and what is left out is said.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from premortem import words
from premortem.model import Advice, Finding, Gap, Planned, QueryReport, Report, Severity, Verdict
from premortem.report import novelty, story, tree
from premortem.report.fitting import Section, fitted
from premortem.report.look import Look

_SIGNS = {Verdict.FAIL: "❌", Verdict.UNKNOWN: "❔", Verdict.PASS: "✅"}
_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}
_SPECIAL = re.compile(r"([\\`*_\[\]|~$]|^[-+=#])")
#: What GitHub and GitLab make links and mentions of: people, issues, and GitLab's merge requests and milestones.
_REFERENCE = re.compile(r"([@#](?=\w)|[!%](?=\d))")
#: A user or a team, as GitHub and GitLab write them: to be mentioned, not quoted.
_HANDLE = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?(?:/[A-Za-z0-9_.-]+)*\Z")
_QUERY_LINES, _QUERY_CHARACTERS = 14, 1_200
_LONG_LINES, _LONG_CHARACTERS = 400, 6_000
_PLAN_LINES = 120
_MOST_GAPS = 20
_MOST_LISTED = 40


def render(report: Report, *, look: Look) -> str:
    """Return the report as GitHub-flavoured Markdown of at most `look.limit` characters."""
    head = f"## {_SIGNS[report.verdict]} premortem: {inline(story.headline(report))}\n"
    tail = "\n".join(_tail(report)) + "\n"
    room = look.limit - len(head) - len(tail) - 10
    if room < 1_000:
        tail, room = f"{inline(look.whole)}\n", look.limit - len(head) - len(look.whole) - 100
    body, cut = fitted(list(_sections(report, look)), room)
    said = f"\n**Cut to fit:** {cut}; {inline(look.whole)}.\n" if cut else ""
    return "\n".join(p for p in (head, *body, said, tail) if p)


def _sections(report: Report, look: Look) -> Iterator[Section]:
    """Yield what there is to say, the most important first."""
    told = [q for q in story.ordered(report.queries) if _has_something(q)]
    failed = [q for q in told if q.verdict is Verdict.FAIL]
    yield from (_query_section(q, look) for q in failed)
    yield from (_place_section(place, found) for place, found in story.by_place(report.findings))
    yield from (_query_section(q, look) for q in told if q.verdict is not Verdict.FAIL)
    quiet = [q for q in report.queries if _is_quietly_new(q)]
    yield from (_executed_section(q) for q in report.queries if _is_executed(q) and not _has_something(q))
    yield from _listed("New or edited, nothing found", [_quiet(q) for q in quiet])
    yield from _listed("Gone", [f"- {code(novelty.gone(a))}" for a in report.gone])


def _has_something(judged: QueryReport) -> bool:
    regressed = judged.difference is not None and novelty.label(judged) == "regressed"
    notable = any(f.severity is not Severity.INFO for f in judged.findings)
    return judged.verdict is not Verdict.PASS or notable or regressed


def _query_section(judged: QueryReport, look: Look) -> Section:
    """Return a query's part: a line, then with its remedy, then with the plans that show it, then everything."""
    core = "\n".join(_core(judged)) + "\n"
    lead = next(iter(story.by_severity(judged.findings)), None)
    plans = "\n".join([*_plans(judged, lead), *_executed(judged)])
    rest = "\n".join(_folded(judged, look))
    return Section(texts=(_brief(judged), core, f"{core}\n{plans}", f"{core}\n{plans}\n{rest}"), noun="query")


def _is_executed(judged: QueryReport) -> bool:
    return judged.executed is not None and bool(judged.executed.before)


def _is_quietly_new(judged: QueryReport) -> bool:
    """Whether a query is worth a line because it is new, and has no part of its own."""
    return (
        bool(judged.difference and novelty.sentence(judged)) and not _has_something(judged) and not _is_executed(judged)
    )


def _executed_section(judged: QueryReport) -> Section:
    """Return the part of a query with nothing wrong that was executed: how long it took, and the evidence folded."""
    line = f"- {_SIGNS[judged.verdict]} {code(story.places(judged))}: {inline(story.executed_title(judged))}\n"
    return Section(
        texts=(line, f"{line}\n" + "\n".join([*_executed(judged), *_executed_plans(judged, slowest=False)])),
        noun="query",
    )


def _executed(judged: QueryReport) -> Iterator[str]:
    """Yield what the mirror said of a query, folded: the figures of every set, then each executed plan."""
    executed = judged.executed
    if executed is None or not executed.before:
        return
    head = " | ".join(story.execution_headings(executed))
    rule = "|".join(["---", *("--:" for _ in story.execution_headings(executed)[1:])])
    rows = (" | ".join(inline(cell) for cell in row) for row in story.executions(executed))
    table = "\n".join([f"| {head} |", f"|{rule}|", *(f"| {row} |" for row in rows)])
    yield fold(story.executed_title(judged), f"{table}\n\n{inline(story.where_executed(executed))}")
    yield from _executed_plans(judged, slowest=True)


def _executed_plans(judged: QueryReport, *, slowest: bool) -> Iterator[str]:
    """Yield the executed plans of the slowest parameter set, or of the others."""
    if judged.executed is not None and judged.executed.before:
        for title, plan in story.executed_plans(judged.executed, slowest=slowest):
            yield fold(title, fence(_tree(tree.text(plan))))


def _place_section(place: str, found: Sequence[Finding]) -> Section:
    brief = "".join(f"- {code(place)}: {_bullet(f)}\n" for f in found[:1])
    first = story.first_of_remedy(found)
    lines = [f"### {_MARKS[found[0].severity]} {code(place)}\n"]
    for finding in found[:_MOST_LISTED]:
        lines.append(f"- {_bullet(finding)}")
        if finding.remedy is not None and finding.key in first:
            lines.append("\n" + fence("\n".join(finding.remedy.sql), "sql"))
    if len(found) > _MOST_LISTED:
        lines.append(f"- … and {words.plural(len(found) - _MOST_LISTED, 'more finding')}")
    return Section(texts=(brief, "\n".join(lines) + "\n"), noun="place")


def _listed(title: str, lines: Sequence[str]) -> Iterator[Section]:
    """Yield a folded list, where it has anything in it."""
    if not lines:
        return
    more = [f"- … and {words.number(len(lines) - _MOST_LISTED)} more"] if len(lines) > _MOST_LISTED else []
    heading = f"{title} ({words.number(len(lines))})"
    yield Section(texts=(f"- {heading}\n", fold(heading, "\n".join([*lines[:_MOST_LISTED], *more]))), noun="list")


def _quiet(judged: QueryReport) -> str:
    return f"- {code(story.places(judged))}: {inline(story.quiet(judged))}"


def _brief(judged: QueryReport) -> str:
    lead = next(iter(story.by_severity(judged.findings)), None)
    said = lead.says if lead else judged.error or novelty.sentence(judged)
    return f"- {_SIGNS[judged.verdict]} {code(story.places(judged))}: {inline(words.shortened(said, 400))}\n"


def _core(judged: QueryReport) -> Iterator[str]:
    label = novelty.label(judged)
    new = f" · {label}" if label and label != "unchanged" else ""
    yield f"### {_SIGNS[judged.verdict]} {code(story.places(judged))}{new}\n"
    if judged.error is not None:
        yield from _could_not_tell(judged)
    yield from _past(judged)
    lead, *others = story.by_severity(judged.findings) or (None,)
    if lead is not None:
        yield from _lead(judged, lead)
    yield from _query(judged)
    if lead is not None and lead.remedy is not None:
        yield from _remedy(judged, lead)
    first = story.first_of_remedy(judged.findings)
    for finding in others:
        if finding is not None:
            yield f"- {_bullet(finding)}"
            if finding.key in first:
                yield "\n" + "\n".join(_remedy(judged, finding))


def _past(judged: QueryReport) -> Iterator[str]:
    """Yield what is new about the query, who ran it, and whom to ask."""
    said = [inline(s) for s in (novelty.sentence(judged), novelty.costs(judged), novelty.seen(judged)) if s]
    if judged.owners:
        said.append(f"Owned by {words.listing([_owner(o, judged) for o in judged.owners], most=5)}.")
    if said:
        yield " ".join(said) + "\n"


def _owner(owner: str, judged: QueryReport) -> str:
    """Return an owner, mentioned where that is a user or a team and there is something to do."""
    wanted = judged.verdict is not Verdict.PASS and _HANDLE.match(owner)
    return owner if wanted else code(owner)


def _could_not_tell(judged: QueryReport) -> Iterator[str]:
    yield f"**Could not tell:** {inline(judged.error or '')}"
    if judged.hint:
        yield f"\n{inline(judged.hint)}"
    yield ""


def _lead(judged: QueryReport, lead: Finding) -> Iterator[str]:
    facts = (
        story.gain(lead, judged),
        story.least_gain(judged, lead),
        story.hurts_with(judged, lead),
        story.call_rate(judged),
    )
    said = " ".join([*(inline(f) for f in facts if f), code(lead.rule)])
    yield f"**{inline(story.sentence(lead.says))}** {said}"
    yield ""


def _query(judged: QueryReport) -> Iterator[str]:
    text = judged.original
    short = words.first_lines(text, lines=_QUERY_LINES, characters=_QUERY_CHARACTERS)
    yield fence(short, "sql")
    if short != words.plain(text).strip("\n"):
        whole = words.first_lines(text, lines=_LONG_LINES, characters=_LONG_CHARACTERS)
        yield fold("The whole query", fence(whole, "sql"))


def _remedy(judged: QueryReport, lead: Finding) -> Iterator[str]:
    remedy = lead.remedy
    if remedy is None:
        return
    if remedy.says:
        yield f"{inline(story.sentence(remedy.says))}\n"
    if not remedy.sql:
        return
    yield fence("\n".join(remedy.sql), "sql")
    prices = [story.price(a) for a in story.helping(judged, lead)]
    yield f"{inline(' '.join([story.proof_sentence(judged, lead), *prices]))}"
    if remedy.undo:
        yield f"Undo: {code(' '.join(remedy.undo))}"
    yield ""


def _bullet(finding: Finding) -> str:
    remedy = finding.remedy
    what = f" {inline(story.sentence(remedy.says))}" if remedy and remedy.says and not remedy.sql else ""
    return f"{_MARKS[finding.severity]} {code(finding.rule)}: {inline(story.sentence(finding.says))}{what}"


def _folded(judged: QueryReport, look: Look) -> Iterator[str]:
    yield from _executed_plans(judged, slowest=False)
    if look.details:
        yield from _every_plan(judged)
    for advice in judged.advice:
        yield fold(f"Cost for every parameter set: {advice.name}", _effects(judged, advice))
    declined = story.declined(judged)
    if declined:
        lines = (f"- {code(d.candidate.definition)}: {inline(story.sentence(d.reason))}" for d in declined[:12])
        yield fold("Considered and declined", "\n".join(lines))
    if judged.suppressed:
        lines = (f"- {code(s.finding.rule)}: {inline(s.reason)}" for s in judged.suppressed)
        yield fold("Allowed", "\n".join(lines))


def _every_plan(judged: QueryReport) -> Iterator[str]:
    for planned in judged.planned:
        title = f"EXPLAIN, {story.title(planned.parameters)}, cost {words.number(planned.plan.total_cost)}"
        yield fold(title, fence(_tree(tree.text(planned.plan))))


def _plans(judged: QueryReport, lead: Finding | None) -> Iterator[str]:
    """Yield the plans that show the finding: today's, the one with the index, and the one before the change."""
    yield from _compared(judged, lead)
    shown = story.shown(judged, lead) if lead is not None else None
    if shown is None:
        return
    title = f"EXPLAIN now ({shown.parameters}), cost {words.number(shown.before.total_cost)}"
    yield fold(title, fence(_tree(tree.text(shown.before, hot=shown.hot))))
    if shown.after is not None:
        title = f"EXPLAIN with the index ({shown.parameters}), cost {words.number(shown.after.total_cost)}"
        yield fold(title, fence(_tree(tree.text(shown.after))))


def _compared(judged: QueryReport, lead: Finding | None) -> Iterator[str]:
    """Yield what an edit did to the text and to the plan, as far as the plan before was made."""
    if edit := novelty.edit(judged):
        yield fold("What the edit did", fence(_tree("\n".join(edit)), "diff"))
    pair = novelty.compared(judged, lead.parameters if lead else None)
    if pair is not None and novelty.sentence(judged):
        title = f"EXPLAIN before ({pair.parameters}), cost {words.number(pair.before.total_cost)}"
        yield fold(title, fence(_tree(tree.text(pair.before))))
        if lead is None or story.shown(judged, lead) is None:
            title = f"EXPLAIN now ({pair.parameters}), cost {words.number(pair.after.total_cost)}"
            yield fold(title, fence(_tree(tree.text(pair.after))))
    elif outline := novelty.outline(judged):
        yield fold("The accepted plan", fence(_tree("\n".join(outline))))


def _tree(text: str) -> str:
    return words.first_lines(text, lines=_PLAN_LINES, characters=_LONG_CHARACTERS)


def _effects(judged: QueryReport, advice: Advice) -> str:
    bases = {p.parameters.name: p for p in judged.planned}
    headings = story.effect_headings(advice)
    rows = [
        " | ".join([inline(e.parameters), _basis(bases.get(e.parameters)), *story.effect_costs(advice, e)])
        for e in advice.effects
    ]
    head = " | ".join(["parameters", "values", *headings])
    rule = "|".join(["---", "---", *("--:" for _ in headings)])
    notes = [f"\n{inline(story.sentence(n))}" for n in advice.notes]
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {r} |" for r in rows), *notes])


def _basis(planned: Planned | None) -> str:
    return inline(words.shortened(planned.parameters.basis, 120)) if planned else ""


def _tail(report: Report) -> Iterator[str]:
    gaps = story.gaps(report)
    if gaps:
        yield fold(f"What premortem could not see ({words.number(len(gaps))})", _gap_list(gaps))
    yield f"<sub>{inline(story.source(report))}</sub>"


def _gap_list(gaps: Sequence[Gap]) -> str:
    lines = [f"- {inline(words.shortened(story.gap_sentence(g), 600))}" for g in gaps[:_MOST_GAPS]]
    if len(gaps) > _MOST_GAPS:
        lines.append(f"- … and {words.plural(len(gaps) - _MOST_GAPS, 'more gap')}")
    return "\n".join(lines)


def fold(summary: str, body: str) -> str:
    """Return a folded part; its summary stands in HTML, where Markdown's escapes would show."""
    safe = _REFERENCE.sub(r"\1<!-- -->", html.escape(words.one_line(summary), quote=False))
    return f"<details><summary>{safe}</summary>\n\n{body.rstrip()}\n\n</details>\n"


def fence(text: str, language: str = "text") -> str:
    """Return the text as a code block that nothing in it can end."""
    safe = words.plain(text)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", safe)), default=0))
    return f"{ticks}{language}\n{safe}\n{ticks}\n"


def code(text: str) -> str:
    """Return the text as a code span that nothing in it can end.

    >>> print(code("a`b"))
    ``a`b``
    """
    safe = words.one_line(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", safe)), default=0))
    pad = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{ticks}{pad}{safe}{pad}{ticks}"


def inline(text: str) -> str:
    """Return the text as a sentence that Markdown and HTML leave alone, and that mentions nobody.

    An empty comment parts `@` from a name and `#` from a number: GitHub looks for both in the rendered text.

    >>> print(inline("a <b> | *c* @d #1"))
    a &lt;b&gt; \\| \\*c\\* @<!-- -->d #<!-- -->1
    """
    escaped = html.escape(_SPECIAL.sub(r"\\\1", words.one_line(text)), quote=False)
    return _REFERENCE.sub(r"\1<!-- -->", escaped)
