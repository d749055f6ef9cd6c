"""Reports as text: one renderer for each format, all fed the same value.

```
render(report, format, look)
└── FORMATS[format](report, look=look)
    ├── terminal   for a person at a terminal (Rich)
    ├── markdown   for a pull-request comment
    └── json       for programs
```
A renderer prints nothing, reads no environment, asks no clock and opens no file.  `words` owns numbers and plurals.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from premortem.model import Report
from premortem.report.look import Look

__all__ = ["FORMATS", "Look", "Renderer", "render"]


class Renderer(Protocol):
    """What turns a report into text."""

    def __call__(self, report: Report, *, look: Look) -> str:
        """Return the report as text."""
        ...


def _terminal(report: Report, *, look: Look) -> str:
    from premortem.report import terminal

    return terminal.render(report, look=look)


def _markdown(report: Report, *, look: Look) -> str:
    from premortem.report import markdown

    return markdown.render(report, look=look)


def _json(report: Report, *, look: Look) -> str:
    from premortem.report import json

    return json.render(report, look=look)


#: The formats by name; each renderer is imported when it is used, for start-up is a feature.
FORMATS: Mapping[str, Renderer] = MappingProxyType({"terminal": _terminal, "markdown": _markdown, "json": _json})


def render(report: Report, form: str, *, look: Look) -> str:
    """Return the report in one of `FORMATS`."""
    return FORMATS[form](report, look=look)
