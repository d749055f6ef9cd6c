"""Reports as text: one renderer for each format, all fed the same value.

```
render(report, format, look)
└── FORMATS[format](report, look=look)
    ├── terminal   for a person at a terminal (Rich)
    ├── markdown   for a pull-request comment
    ├── html       one file with every plan, for a browser
    ├── json       for programs
    ├── sarif      for code scanning
    ├── junit      for whatever shows test results
    ├── github     annotations of GitHub Actions
    ├── gitlab     GitLab's code quality report
    └── text       a line for each finding
```
A renderer prints nothing, reads no environment, asks no clock and opens no file but its own template.  `story` and
`novelty` own the sentences, `remarks` what is said about a line of a file; numbers and plurals are `premortem.words`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from premortem.model import Report
from premortem.report.look import GITHUB_CHARACTERS, GITLAB_CHARACTERS, Look

__all__ = ["FORMATS", "GITHUB_CHARACTERS", "GITLAB_CHARACTERS", "Look", "Renderer", "render"]


class Renderer(Protocol):
    """What turns a report into text."""

    def __call__(self, report: Report, *, look: Look) -> str:
        """Return the report as text."""
        ...


def _on_use(module: str) -> Renderer:
    """Return a module's renderer, imported when it is used, for start-up is a feature."""

    def render(report: Report, *, look: Look) -> str:
        renderer: Renderer = importlib.import_module(f"premortem.report.{module}").render
        return renderer(report, look=look)

    return render


#: The formats by name.
FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "terminal": _on_use("terminal"),
        "markdown": _on_use("markdown"),
        "html": _on_use("html"),
        "json": _on_use("json"),
        "sarif": _on_use("sarif"),
        "junit": _on_use("junit"),
        "github": _on_use("github"),
        "gitlab": _on_use("gitlab"),
        "text": _on_use("lines"),
    }
)


def render(report: Report, form: str, *, look: Look) -> str:
    """Return the report in one of `FORMATS`."""
    return FORMATS[form](report, look=look)
