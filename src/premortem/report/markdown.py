"""The report as a pull-request comment that a reviewer understands in ten seconds.

First the verdict, then for each query that has something: where it stands, one sentence with numbers, the index to
create, and how sure that is.  Plans, other findings and gaps are folded.  The whole stays under GitHub's limit; what
is dropped is counted, the most severe kept.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from premortem.model import Advice, Finding, Gap, Planned, QueryReport, Report, Severity, Verdict
from premortem.report import story, tree, words
from premortem.report.look import Look

#: GitHub refuses a comment of more characters; it is counted in bytes here, which is never less.
MOST_BYTES = 65_536
_SIGNS = {Verdict.FAIL: "❌", Verdict.UNKNOWN: "❔", Verdict.PASS: "✅"}
_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}
_SPECIAL = re.compile(r"([\\`*_\[\]|~$]|^[-+=#])")
_REFERENCE = re.compile(r"([@#])(?=\w)")
_QUERY_LINES, _QUERY_CHARACTERS = 14, 1_200
_LONG_LINES, _LONG_CHARACTERS = 400, 6_000
_PLAN_LINES = 120
_MOST_GAPS = 20


def render(report: Report, *, look: Look) -> str:
    """Return the report as GitHub-flavoured Markdown of at most `MOST_BYTES` bytes."""
    head = f"## {_SIGNS[report.verdict]} premortem: {inline(story.headline(report))}\n"
    tail = "\n".join(_tail(report)) + "\n"
    told = [q for q in story.ordered(report.queries) if _has_something(q)]
    room = MOST_BYTES - _bytes(head) - _bytes(tail) - 200
    body = _fitting([_section(q, look) for q in told], [_brief(q) for q in told], room)
    schema = "".join(f"- {_bullet(f)}\n" for f in story.by_severity(report.findings)[:50])
    parts = [head, _titled("### The schema", schema, room - sum(map(_bytes, body))), *body, tail]
    return "\n".join(p for p in parts if p)


def _titled(title: str, text: str, room: int) -> str:
    return f"{title}\n{text}" if text and _bytes(text) < room else ""


def _has_something(judged: QueryReport) -> bool:
    return judged.verdict is not Verdict.PASS or any(f.severity is not Severity.INFO for f in judged.findings)


def _fitting(full: Sequence[str], brief: Sequence[str], room: int) -> list[str]:
    """Return as many sections as there is room for: whole ones, then brief ones, then how many are missing."""
    kept: list[str] = []
    for place, (whole, short) in enumerate(zip(full, brief, strict=True)):
        reserve = sum(_bytes(b) + 1 for b in brief[place + 1 : place + 21])
        text = whole if _bytes(whole) + reserve < room else short
        if _bytes(text) + 1 >= room:
            left = words.plural(len(full) - place, "more query", "more queries")
            return [*kept, f"… and {left}: this comment is full, the JSON report has them all.\n"]
        room -= _bytes(text) + 1
        kept.append(text)
    return kept


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _brief(judged: QueryReport) -> str:
    lead = next(iter(story.by_severity(judged.findings)), None)
    said = inline(lead.says) if lead else inline(judged.error or "")
    return f"- {_SIGNS[judged.verdict]} {code(story.places(judged))}: {words.shortened(said, 400)}\n"


def _section(judged: QueryReport, look: Look) -> str:
    return "\n".join(_section_lines(judged, look)) + "\n"


def _section_lines(judged: QueryReport, look: Look) -> Iterator[str]:
    yield f"### {_SIGNS[judged.verdict]} {code(story.places(judged))}\n"
    if judged.error is not None:
        yield from _could_not_tell(judged)
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
    yield from _folded(judged, lead, look)


def _could_not_tell(judged: QueryReport) -> Iterator[str]:
    yield f"**Could not tell:** {inline(judged.error or '')}"
    if judged.hint:
        yield f"\n{inline(judged.hint)}"
    yield ""


def _lead(judged: QueryReport, lead: Finding) -> Iterator[str]:
    facts = (story.gain(lead), story.least_gain(judged, lead), story.hurts_with(judged, lead), story.call_rate(judged))
    said = " ".join([*(inline(f) for f in facts if f), code(lead.rule)])
    yield f"**{inline(_sentence(lead.says))}** {said}"
    yield ""


def _sentence(text: str) -> str:
    line = words.one_line(text).rstrip(".")
    return f"{line[:1].upper()}{line[1:]}."


def _query(judged: QueryReport) -> Iterator[str]:
    text = judged.original
    short = words.first_lines(text, lines=_QUERY_LINES, characters=_QUERY_CHARACTERS)
    yield fence(short, "sql")
    if short != words.plain(text).strip("\n"):
        whole = words.first_lines(text, lines=_LONG_LINES, characters=_LONG_CHARACTERS)
        yield _fold("The whole query", fence(whole, "sql"))


def _remedy(judged: QueryReport, lead: Finding) -> Iterator[str]:
    remedy = lead.remedy
    assert remedy is not None
    if remedy.says:
        yield f"{inline(_sentence(remedy.says))}\n"
    if not remedy.sql:
        return
    yield fence("\n".join(remedy.sql), "sql")
    prices = [story.price(a) for a in story.helping(judged, lead)]
    yield f"{inline(' '.join([story.sureness(judged, lead), *prices]))}"
    if remedy.undo:
        yield f"Undo: {code(' '.join(remedy.undo))}"
    yield ""


def _bullet(finding: Finding) -> str:
    remedy = finding.remedy
    what = f" {inline(_sentence(remedy.says))}" if remedy and remedy.says and not remedy.sql else ""
    return f"{_MARKS[finding.severity]} {code(finding.rule)}: {inline(_sentence(finding.says))}{what}"


def _folded(judged: QueryReport, lead: Finding | None, look: Look) -> Iterator[str]:
    if lead is not None:
        yield from _plans(judged, lead)
    if look.details:
        yield from _every_plan(judged)
    for advice in judged.advice:
        yield _fold(f"Cost for every parameter set: {advice.name}", _effects(judged, advice))
    declined = story.declined(judged)
    if declined:
        lines = (f"- {code(d.candidate.definition)}: {inline(_sentence(d.reason))}" for d in declined[:12])
        yield _fold("Considered and declined", "\n".join(lines))
    if judged.suppressed:
        lines = (f"- {code(s.finding.rule)}: {inline(s.reason)}" for s in judged.suppressed)
        yield _fold("Allowed", "\n".join(lines))


def _every_plan(judged: QueryReport) -> Iterator[str]:
    for planned in judged.planned:
        title = f"EXPLAIN, {story.title(planned.parameters)}, cost {words.number(planned.plan.total_cost)}"
        yield _fold(title, fence(_tree(tree.text(planned.plan))))


def _plans(judged: QueryReport, lead: Finding) -> Iterator[str]:
    shown = story.shown(judged, lead)
    if shown is None:
        return
    title = f"EXPLAIN before ({shown.parameters}), cost {words.number(shown.before.total_cost)}"
    yield _fold(title, fence(_tree(tree.text(shown.before, hot=shown.hot))))
    if shown.after is not None:
        title = f"EXPLAIN after ({shown.parameters}), cost {words.number(shown.after.total_cost)}"
        yield _fold(title, fence(_tree(tree.text(shown.after))))


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
    notes = [f"\n{inline(_sentence(n))}" for n in advice.notes]
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {r} |" for r in rows), *notes])


def _basis(planned: Planned | None) -> str:
    return inline(words.shortened(planned.parameters.basis, 120)) if planned else ""


def _tail(report: Report) -> Iterator[str]:
    gaps = story.gaps(report)
    if gaps:
        yield _fold(f"What premortem could not see ({words.number(len(gaps))})", _gap_list(gaps))
    yield f"<sub>{inline(story.source(report))}</sub>"


def _gap_list(gaps: Sequence[Gap]) -> str:
    lines = [f"- {inline(words.shortened(story.gap_sentence(g), 600))}" for g in gaps[:_MOST_GAPS]]
    if len(gaps) > _MOST_GAPS:
        lines.append(f"- … and {words.plural(len(gaps) - _MOST_GAPS, 'more gap')}")
    return "\n".join(lines)


def _fold(summary: str, body: str) -> str:
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
