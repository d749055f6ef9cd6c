"""Takes off what stands around a plan where people copy it from: psql's frame, logs, quotes, fences, pagers.

`cleaned` works on each line of a text alone, whatever it belongs to; `unframed` on the lines of one plan together.
Indentation is what makes the tree, so only what is the same on every line is taken off.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

Says: TypeAlias = Callable[[str], bool]

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][AB0]|[=>])|.\x08")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad\x00]")
_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_NEWLINE = re.compile(r"\r\n?|\n|\x0b|\x0c|\x85|\u2028|\u2029")
_WRAPPED = re.compile(r"\.\n\.")
_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:[A-Z]{2,5}\b|Z|[+-]\d\d:?\d\d))?"
#: What syslog, journald, docker and Kubernetes put before every line; each ends with the one blank that is theirs.
_LOG_PREFIX = re.compile(
    r"(?:"
    r"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|" + _STAMP + r") [\w.-]+ [\w./-]+\[\d+\]: (?:\[\d+-\d+\] )?"
    r"|" + _STAMP + r" (?:stdout|stderr) [FP] "
    r"|[a-z0-9][\w.]*(?:[-_][\w.]+)+\s+\| "
    r"|" + _STAMP + r"(?: ?:[^\s:]*:[^\s:]*:\[\d+\]:| \[[^\]]*\]| \S+@\S+| \d+)+[: ](?!\w+: )"
    r"|QUERY PLAN +[|│] ?"
    r")"
)
_TAB = re.compile(r"#011")
_RULER = re.compile(r"\s*(?:[-+|=─-╿]{3,}|[-─]\[ RECORD \d+ \][-+─┬┼]*|\|\s*:?-+:?\s*\|)\s*\Z")
_FOOTER = re.compile(
    r"\s*(?:\(\d+ (?:rows?|filas?|lignes?|Zeilen?|строк\w*)\)|\d+ rows?(?: in set.*)?|Time: .*|"
    r"\(END\)|~|:|lines \d+-\d+.*)\s*\Z"
)
_HEADER = re.compile(r'[\s|"│]*QUERY PLAN[\s|"│+]*\Z', re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:(?:```|~~~)\w*|\{(?:code|noformat|quote)(?::[^}]*)?\}|\[/?code\]|<\/?(?:pre|code)>)\s*\Z")
_BAR = re.compile(r"^\s*[|│]|\s*[|│]\s*$")
_NEWLINE_MARK = re.compile(r"\s*[+↵]\s*\Z")
_QUOTATION = re.compile(r"^\s*(?:> ?)+(?!=)")
_ARROW = re.compile(r"(\s*)(?:->|[-–—−]>|→|⟶|➔|=>)\s+")
_ENTITY = re.compile("&(?:gt|lt|quot|amp|#39);")
_ELLIPSIS = re.compile(r"(?<==)([\d.]+)…(?=[\d.])")


def cleaned(text: str) -> list[str]:
    """Return the lines of a text without what terminals, web pages and log collectors add to each.

    >>> cleaned("\\x1b[1mLimit\\x1b[0m  (cost=0.00..1.00)\\r\\n\\u00a0 -&gt; Seq Scan")
    ['Limit  (cost=0.00..1.00)', '  -> Seq Scan']
    """
    plain = _BLANKS.sub(" ", _INVISIBLE.sub("", _ESCAPE.sub("", text)))
    if "<explain" not in plain and _ENTITY.search(plain):
        plain = html.unescape(plain)
    lines = _unwrapped(_NEWLINE.sub("\n", plain)).split("\n")
    return [_ELLIPSIS.sub(r"\1..", _line(line)) for line in lines]


def _unwrapped(text: str) -> str:
    """Undo psql's `wrapped` format: a dot at the right margin, and one before the rest on the next line.

    All its other lines begin with a blank, which tells it from a number that a terminal broke at its dot.
    """
    if not _WRAPPED.search(text):
        return text
    lines = [line for line in text.split("\n") if line.strip()]
    return _WRAPPED.sub("", text) if sum(line[0] in " ." for line in lines) > 0.9 * len(lines) else text


def _line(line: str) -> str:
    match = _LOG_PREFIX.match(line)
    bare = line[match.end() :] if match else line
    return _TAB.sub("\t", bare).expandtabs(8).rstrip()


def is_frame(line: str) -> bool:
    """Whether a line belongs to what is around a plan: a header, a ruler, the count of rows, a fence."""
    return any(pattern.match(line) for pattern in (_RULER, _FOOTER, _HEADER, _FENCE))


def is_end(line: str) -> bool:
    """Whether a line says that a plan is over."""
    return bool(_FOOTER.match(line) or _FENCE.match(line) or _HEADER.match(line)) and line.strip() not in ("~", ":")


def unframed(lines: Sequence[str]) -> list[str]:
    """Return the lines of one pasted plan without frames, quotation marks and bars, its arrows as PostgreSQL's."""
    kept = [line for line in lines if line and not is_frame(line)]
    for take_off in (_without_quotation, _without_bars, _without_quotes, _straightened):
        kept = take_off(kept)
    return [_ARROW.sub(r"\1->  ", line, count=1) if _ARROW.match(line) else line for line in kept if line.strip()]


def _without_quotation(lines: list[str]) -> list[str]:
    """Take off the `> ` of e-mail and Markdown."""
    return [_QUOTATION.sub("", line) for line in lines] if _all(lines, lambda line: line.lstrip()[:1] == ">") else lines


def _without_bars(lines: list[str]) -> list[str]:
    """Take off psql's border 2, and the `+` that marks a value's line end."""
    if _all(lines, lambda line: line.lstrip()[:1] in "|│"):
        lines = [_BAR.sub("", line).rstrip() for line in lines]
    elif _most(lines, lambda line: line.endswith(("|", "│"))):
        lines = [line.rstrip("|│ ") for line in lines]
    return [_NEWLINE_MARK.sub("", line) for line in lines] if _most(lines, lambda line: line[-1:] in "+↵") else lines


def _without_quotes(lines: list[str]) -> list[str]:
    """Take off the quotes of spreadsheet and pgAdmin copies, which stand on each line or around all of them."""
    if _all(lines, _is_quoted):
        return [line.strip().rstrip(",;")[1:-1].replace('""', '"') for line in lines]
    whole = len(lines) > 1 and lines[0].lstrip()[:1] == '"' and lines[-1].rstrip()[-1:] == '"'
    if not whole or lines[0].count('"') % 2 == 0:
        return lines
    first, last = lines[0].replace('"', " ", 1), lines[-1].rstrip()[:-1]
    return [line.replace('""', '"') for line in (first[1:] if first[:1] == " " else first, *lines[1:-1], last)]


def _is_quoted(line: str) -> bool:
    bare = line.strip().rstrip(",;")
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def _straightened(lines: list[str]) -> list[str]:
    """Undo a word processor's quotation marks, where no straight ones say that the others are meant."""
    text = "\n".join(lines)
    if "'" not in text:
        text = re.sub("[‘’]", "'", text)
    if '"' not in text:
        text = re.sub("[“”„]", '"', text)
    return text.split("\n") if text else lines


def _all(lines: list[str], says: Says) -> bool:
    return bool(lines) and all(says(line) for line in lines)


def _most(lines: list[str], says: Says) -> bool:
    return sum(map(says, lines)) * 2 > len(lines)
