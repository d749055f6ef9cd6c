"""Each report in each format, character by character; `RECORD=1 pytest tests/report` writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from premortem.report import FORMATS, Look, render
from tests.report.reports import REPORTS

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {
    "terminal": "txt",
    "markdown": "md",
    "html": "html",
    "json": "json",
    "sarif": "sarif",
    "junit": "junit.xml",
    "github": "github.txt",
    "gitlab": "gitlab.json",
    "text": "lines.txt",
}


def without_page(text: str) -> str:
    """Return an HTML report without the page's own styles and script, which tests of a browser look at."""
    bare = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", text, flags=re.DOTALL)
    return re.sub(r"sha256-[\w+/=]+", "sha256-", bare)


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_looks_as_recorded(name: str, form: str) -> None:
    text = render(REPORTS[name], form, look=Look(width=80, colour=False))
    text = without_page(text) if form == "html" else text
    golden = GOLDEN / f"{name}.{ENDINGS[form]}"
    if os.environ.get("RECORD"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_details_show_every_parameter_sets_plan() -> None:
    text = render(REPORTS["incident"], "terminal", look=Look(width=80, details=True))
    golden = GOLDEN / "incident-details.txt"
    if os.environ.get("RECORD"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
