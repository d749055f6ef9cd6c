"""The indexes that a workload is best served by, as text: what to create, what it buys, how sure, what to type.

```
render(indexing, format, look)
├── terminal   lines, painted by report.terminal; the picture of the frontier is `picture`
├── markdown   for a ticket or a pull request
├── html       one page with the picture and every query, for a browser
├── json       for programs; docs/reference/indexing.md is its contract
└── sql        a script to run, with its undo
```
`told` owns the sentences.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from premortem.model import Indexing
from premortem.report.look import Look

__all__ = ["FORMATS", "render"]

Renderer: TypeAlias = Callable[[Indexing, Look], str]


def _terminal(told: Indexing, look: Look) -> str:
    from premortem.report.indexing.lines import screen
    from premortem.report.terminal import painted

    return painted(screen(told, look), look=look)


def _on_use(module: str) -> Renderer:
    def render(told: Indexing, look: Look) -> str:
        renderer: Renderer = importlib.import_module(f"premortem.report.indexing.{module}").render
        return renderer(told, look)

    return render


#: The formats by name.
FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "terminal": _terminal,
        "sql": _on_use("sql"),
        "json": _on_use("json"),
        "markdown": _on_use("markdown"),
        "html": _on_use("html"),
    }
)


def render(told: Indexing, form: str, *, look: Look) -> str:
    """Return the answer in one of `FORMATS`."""
    return FORMATS[form](told, look)
