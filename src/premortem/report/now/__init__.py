"""What hurts on a server at this moment, as text: one screen for a person at three in the morning.

```
render(now, format, look)
├── terminal   lines, painted by report.terminal
├── markdown   for an incident's channel
└── json       for programs; docs/how-to/diagnose.md lists its fields
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from premortem.model import Now
from premortem.report.look import Look
from premortem.report.now import json, lines, markdown

__all__ = ["FORMATS", "render"]

Renderer = Callable[[Now, Look], str]


def _terminal(now: Now, look: Look) -> str:
    from premortem.report.terminal import painted

    return painted(lines.screen(now), look=look)


#: The formats by name.
FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {"terminal": _terminal, "json": json.render, "markdown": markdown.render}
)


def render(now: Now, form: str, *, look: Look) -> str:
    """Return the look in one of `FORMATS`."""
    return FORMATS[form](now, look)
