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
_OPEN_FIGURES = re.compile(r"\((?:cost|actual|never)\b[^)]*\Z")
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
    roots = _roots(lines)
    above = 0
    for place, start in enumerate(roots):
        end = _end(lines, start, roots[place + 1] if place + 1 < len(roots) else len(lines))
        body = tuple(joined(unframed(_unwrapped(lines[start:end]))))
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


def _unwrapped(lines: Sequence[str]) -> list[str]:
    """Return the lines with those joined that a terminal broke: all of one length, and no plan's line after them."""
    most = max(map(len, lines), default=0)
    full = sum(len(line) == most for line in lines)
    if most < 60 or full * 2 > len(lines):
        return list(lines)
    found: list[str] = []
    last = 0
    for line in lines:
        if found and last == most and not is_part(_bare(line)):
            found[-1] += line
        else:
            found.append(line)
        last = len(line)
    return found


def is_part(body: str) -> bool:
    """Whether a line, its indentation gone, is one that EXPLAIN prints and no broken-off end of one."""
    known = FIGURES.search(body) and not _CONTINUES_FIGURES.match(body)
    return bool(
        body.startswith(_ARROWS)
        or (known and labels.is_known(FIGURES.split(body, maxsplit=1)[0].strip()))
        or PROPERTY.match(body)
        or TAIL.match(body)
        or HEADING.match(body)
        or is_frame(body)
    )


def joined(lines: Sequence[str]) -> list[str]:
    """Return the lines with those joined that belong together: figures that a margin broke, strings over lines."""
    found: list[str] = []
    for line in lines:
        last = found[-1] if found else ""
        if _OPEN_FIGURES.search(last):
            found[-1] = _mended(last, line.strip())
        elif last and _CONTINUES_FIGURES.match(line):
            found[-1] = f"{last}  {line.strip()}"
        else:
            found.append(line)
    return _strings_joined(found)


def _mended(first: str, second: str) -> str:
    """Return two halves of a line put together as its figures are whole: with a blank, or in the middle of a number."""
    tight, spaced = first + second, f"{first} {second}"
    return tight if len(_WHOLE_FIGURES.findall(tight)) > len(_WHOLE_FIGURES.findall(spaced)) else spaced


def _strings_joined(lines: Sequence[str]) -> list[str]:
    found, at = [], 0
    while at < len(lines):
        end = string_end(lines, at) if EXPRESSION.match(lines[at]) else at
        found.append("\n".join(lines[at : end + 1]))
        at = end + 1
    return found
