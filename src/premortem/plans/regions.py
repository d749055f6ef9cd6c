"""Finds the plans in a text that holds more than one plan: statements, log lines, prose, other plans.

A region runs from a plan's root, the first line with figures and no arrow, to what surely is no part of it: the count
of rows, the end of a fence, a log line, a prompt, the next root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem.plans import labels, repair
from premortem.plans.frames import is_end, is_frame, unframed

FIGURES = re.compile(r"\s\((?:cost=|actual |never executed|rows=\d)")
PROPERTY = re.compile(r"(?P<name>[A-Z][\w /()-]*?):(?: +(?P<value>.*))?\Z", re.DOTALL)
EXPRESSION = re.compile(r"\s*(?:[A-Z][\w -]{0,40}(?:Cond|Filter|Key|Condition|By|Call)|Filter|Output|Settings): ")
TARGET = re.compile(r"(?:Foreign )?(?:Insert|Update|Delete|Merge) on \S")
HEADING = re.compile(r"(?:InitPlan|SubPlan|CTE) \S")
TAIL = re.compile(
    r"(?:Planning(?: [Tt]ime)?|Execution [Tt]ime|Total runtime|Settings|JIT|Query Identifier|Serialization|Memory|"
    r"Trigger .*|Time|Optimizer.*|Slice statistics.*):"
)
#: What stands before a plan in a log or a session, and so ends the one before it.
_OTHER = re.compile(
    r"\s*(?:(?:LOG|STATEMENT|DETAIL|CONTEXT|ERROR|HINT|NOTICE|WARNING):\s|duration: |Query Text: |"
    r"[\w.-]+[=(*!^'\"-][#>] |"
    r"(?:explain|select|with|insert into|delete from|update \S+ set|merge into|values|begin|set|commit|rollback)\b"
    r"(?!.*\(cost=))",
)
_LOG = re.compile(r".*\b(?:LOG|STATEMENT|DETAIL|CONTEXT|ERROR|NOTICE|WARNING):  ")
_EXPLAIN = re.compile(r"\s*(?:[\w.-]+[=(*!^'\"-][#>] )?explain\b", re.IGNORECASE)
_BEFORE = re.compile(r'[\s|│"]*(?:> ?)*[\s|│"]*')
_ARROWS = ("->", "→", "⟶", "➔", "=>", "–>", "—>", "−>")
_OPEN_FIGURES = re.compile(r"\((?:c(?:o(?:st?)?)?|a(?:c(?:t(?:u(?:al?)?)?)?)?|never)?(?:[= ][^)]*)?\Z")
_CLOSES_FIGURES = re.compile(
    r"[\d.=a-z] ?(?:width|loops)=[\d.]+\)|^\S*(?:\d|loops=|width=)[\d.]*\)|\s\((?:cost=|actual )"
)
_NARROWEST = 60
_WHOLE_FIGURES = re.compile(
    r"\((?:cost=\S+\.\.\S+ rows=[\d.e+]+ width=\d+|actual (?:time=\S+\.\.\S+ )?rows=[\d.e+]+ loops=[\d.]+)\)"
)
_CONTINUES_FIGURES = re.compile(r"\s*\((?:cost=|actual |never executed)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One plan's lines, without frames; `line` is the number (from 1) of its first, `before` what stands above it."""

    line: int
    lines: tuple[str, ...]
    before: tuple[str, ...]


def regions(lines: Sequence[str]) -> Iterator[Region]:
    """Yield the regions of a text's cleaned lines."""
    lines = rejoined(lines)
    roots = _roots(lines)
    above = 0
    for place, start in enumerate(roots):
        end = _end(lines, start, roots[place + 1] if place + 1 < len(roots) else len(lines))
        body = tuple(_strings_joined(unframed(lines[start:end])))
        yield Region(line=start + 1, lines=body, before=tuple(lines[above:start]))
        above = end


def _roots(lines: Sequence[str]) -> list[int]:
    """Return where plans begin: lines with figures, or where no line has any, lines that are a known node."""
    found = _with_figures(lines)
    if found:
        return found
    known = [at for at, line in enumerate(lines) if labels.is_known(_bare(line).rstrip('|│"+ '))]
    return [at for at in known if _column(lines[at]) <= _column(lines[known[0]])] or known[:1]


def _with_figures(lines: Sequence[str]) -> list[int]:
    found: list[int] = []
    base, wanted, at, apart = 0, 0, 0, True
    while at < len(lines):
        line = lines[at]
        if FIGURES.search(line) and not EXPRESSION.match(_bare(line)) and not _is_worker(line):
            arrow = _starts_with_arrow(line)
            if not found or (not arrow and (_column(line) <= base or apart) and (wanted <= 0 or apart)):
                found.append(at)
                base, wanted = _column(line), 1
            wanted += _wanted(line) - 1
            apart = False
        apart = apart or (bool(found) and (is_end(line) or bool(TAIL.match(_bare(line)))))
        at = string_end(lines, at) + 1 if EXPRESSION.match(line) else at + 1
    return found


def _wanted(line: str) -> int:
    """Return how many inputs the node on a line must have."""
    label = FIGURES.split(_bare(line), maxsplit=1)[0]
    for arrow in _ARROWS:
        label = label.removeprefix(arrow)
    return repair.inputs(str(labels.properties(label.strip())["Node Type"]))[0]


def _is_worker(line: str) -> bool:
    return _bare(line).startswith("Worker ")


def _bare(line: str) -> str:
    match = _BEFORE.match(line)
    return line[match.end() :] if match else line


def _column(line: str) -> int:
    return len(line) - len(_bare(line))


def _starts_with_arrow(line: str) -> bool:
    return _bare(line).startswith(_ARROWS)


def _end(lines: Sequence[str], start: int, limit: int) -> int:
    at = start + 1
    while at < limit:
        line = lines[at]
        if is_end(line) or _EXPLAIN.match(line) or _LOG.match(line) or _OTHER.match(line):
            return at
        at = string_end(lines, at) + 1 if EXPRESSION.match(line) else at + 1
    return limit


def string_end(lines: Sequence[str], start: int) -> int:
    """Return the line on which the strings that are open at the end of a line are closed, itself where none is."""
    quote = ""
    for at in range(start, min(len(lines), start + 1000)):
        quote = _open_quote(lines[at], quote)
        if not quote:
            return at
    return start


def _open_quote(line: str, quote: str) -> str:
    for character in line:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return quote


def is_part(body: str) -> bool:
    """Whether a line, its indentation gone, is one that EXPLAIN prints and no broken-off end of one."""
    known = FIGURES.search(body) and not _CONTINUES_FIGURES.match(body)
    return bool(
        body.startswith(_ARROWS)
        or TARGET.match(body)
        or (known and labels.is_known(FIGURES.split(body, maxsplit=1)[0].strip()))
        or PROPERTY.match(body)
        or TAIL.match(body)
        or HEADING.match(body)
        or is_frame(body)
        or is_end(body)
    )


def rejoined(lines: Sequence[str]) -> list[str]:
    """Return the lines with those put together that a terminal, a mail or a column's width broke.

    As many lines come back, blank ones in the place of what was taken up, so that line numbers stay.
    """
    found = list(lines)
    width = max((len(line) for line in lines if _is_of_plan(line)), default=0)
    if sum(len(line) == width for line in lines) * 2 > len(lines):
        width = 0  # a frame's right border, and no margin
    last, full = -1, False  # the line that may go on, and whether its newest piece reached the margin
    for at, line in enumerate(lines):
        body = _bare(line)
        if last >= 0 and body and _goes_on(found[last], body, full=full):
            found[last] = _together(found[last], line if full else body, full=full)
            found[at] = ""
            full = len(line) == width
        elif body:
            last = at if _is_of_plan(line) or labels.is_known(body) else -1
            full = len(line) == width >= _NARROWEST
    return found


def _is_of_plan(line: str) -> bool:
    body = _bare(line)
    return bool(body.startswith(_ARROWS) or FIGURES.search(line) or (PROPERTY.match(body) and not _OTHER.match(line)))


def _goes_on(last: str, body: str, *, full: bool) -> bool:
    """Whether a line is the rest of the last one: of its figures, its label, or what stands in its brackets."""
    if _CONTINUES_FIGURES.match(body):
        return "(cost=" not in last or "(cost=" not in body
    if is_part(body):
        return False
    node = _starts_with_arrow(last) or bool(FIGURES.search(last)) or labels.is_known(_bare(last))
    if not node and _is_open(last):
        return True
    if _OTHER.match(body):
        return False
    if node and _CLOSES_FIGURES.search(body):
        return not _WHOLE_FIGURES.search(last) or bool(_OPEN_FIGURES.search(last))
    return full


def _is_open(line: str) -> bool:
    """Whether an expression or a list is surely not over; a string that is open may run over lines on purpose."""
    if _open_quote(line, ""):
        return False
    return line.count("(") > line.count(")") or line.endswith(",")


def _together(first: str, second: str, *, full: bool) -> str:
    """Return two halves of a line as one: with a blank, or without where figures come out whole or it was full."""
    tight, spaced = first + second, f"{first} {second}"
    whole = [len(_WHOLE_FIGURES.findall(text)) for text in (tight, spaced)]
    if whole[0] == whole[1]:
        return tight if full else spaced
    return tight if whole[0] > whole[1] else spaced


def _strings_joined(lines: Sequence[str]) -> list[str]:
    found, at = [], 0
    while at < len(lines):
        end = string_end(lines, at) if EXPRESSION.match(lines[at]) else at
        found.append("\n".join(lines[at : end + 1]))
        at = end + 1
    return found
