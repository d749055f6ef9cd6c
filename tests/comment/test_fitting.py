"""What is too long is cut where nothing stands open."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from premortem.comment.fitting import fitted, length

PIECES = st.sampled_from(
    [
        "### heading\n",
        "text 😀 é\n",
        "```sql\nselect 1\n```\n",
        "````text\n```\n````\n",
        "<details><summary>x</summary>\n\n",
        "\n</details>\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "~~~\n/x\n~~~\n",
        "x" * 300 + "\n",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join), st.integers(300, 3_000))
def test_it_fits_and_closes_what_it_opened(text: str, most: int) -> None:
    cut = fitted(text, most)
    assert length(cut) <= most
    if cut == text:
        return
    fences = [t for t in MarkdownIt().parse(cut) if t.type == "fence"]
    assert not any("more characters do not fit here" in t.content for t in fences)
    outside = re.sub(r"(?ms)^(`{3,}|~{3,}).*?^\1", "", cut)
    assert outside.count("<details>") <= outside.count("</details>")


def test_it_prefers_to_cut_between_sections() -> None:
    section = "### q\n\n" + "words of it\n" * 20 + "\n```\nplan\n```\n"
    cut = fitted(section * 30, 3_000)
    kept = cut.split("\n\n… ")[0]
    assert kept == (section * kept.count("### q")).rstrip()
    assert kept.count("### q") > 8


def test_a_single_line_is_cut_too() -> None:
    assert length(fitted("😀" * 5_000, 1_000)) <= 1_000


def test_what_fits_is_left_alone() -> None:
    assert fitted("short", 100) == "short"
