"""The report as GitHub workflow commands, which Actions shows at the lines of the change.

GitHub shows ten errors, ten warnings and ten notices of a step, and fifty of a job; it drops those that come later.  So
the worst come first, no more than can be shown, and a last line says how many there are besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from premortem import words
from premortem.model import Report, Severity
from premortem.report import remarks, story
from premortem.report.look import Look

#: What GitHub shows of each level in one step.
MOST = 10
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, *, look: Look) -> str:
    """Return the commands, one a line, and a last line that sums up and is none."""
    every = remarks.worst_first(remarks.every(report, look))
    shown = list(_shown(every))
    left = len(every) - len(shown)
    more = f"; {words.plural(left, 'more finding')} not shown here ({words.one_line(look.whole)})" if left else ""
    return "".join(f"{line}\n" for line in [*map(_command, shown), f"premortem: {story.headline(report)}{more}"])


def _shown(every: Iterable[remarks.Remark]) -> Iterator[remarks.Remark]:
    counts = dict.fromkeys(_LEVELS.values(), 0)
    for remark in every:
        level = _LEVELS[remark.severity]
        counts[level] += 1
        if counts[level] <= MOST:
            yield remark


def _command(remark: remarks.Remark) -> str:
    place = {"file": remark.path, "line": remark.line} if remark.path else {}
    told = {**place, "title": f"premortem: {words.one_line(remark.rule)}"}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in told.items() if value is not None)
    text = "\n".join([_headed(remark), *remarks.details(remark)])
    return f"::{_LEVELS[remark.severity]} {properties}::{_text(words.plain(text))}"


def _headed(remark: remarks.Remark) -> str:
    return remark.says if remark.path else f"{remarks.place(remark)}: {remark.says}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(words.one_line(text)).replace(":", "%3A").replace(",", "%2C")
