"""A terminal: it fits, its SQL can be copied, and colours are there only where they may be."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from premortem.report import Look, render
from tests.report.reports import ADVICE, FINDING, INCIDENT, REPORTS, report

ESCAPE = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", sorted(REPORTS))
def test_lines_fit(name: str, width: int) -> None:
    text = render(REPORTS[name], "terminal", look=Look(width=width, details=True))
    sql = [line for line in text.splitlines() if "INDEX" in line or line.lstrip().startswith("ON ")]
    assert all(len(line) <= width for line in text.splitlines() if line not in sql)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_colours_change_no_text(name: str) -> None:
    plain = render(REPORTS[name], "terminal", look=Look(colour=False))
    coloured = render(REPORTS[name], "terminal", look=Look(colour=True))
    assert "\x1b" not in plain
    assert ESCAPE.search(coloured)
    lines = [line.rstrip() for line in ESCAPE.sub("", coloured).splitlines()]
    assert lines == plain.splitlines()


def test_sql_can_be_copied() -> None:
    long = (
        f'CREATE INDEX CONCURRENTLY "a ON b{"x" * 50}" ON public.order_items (product_sku) '
        f"WHERE (status = 'two  words {'y' * 60} more words that go beyond any width');"
    )
    remedy = replace(FINDING.remedy, sql=(long,))  # type: ignore[type-var]
    odd = replace(INCIDENT, findings=(replace(FINDING, remedy=remedy),), advice=(replace(ADVICE, statements=(long,)),))
    text = render(report(odd), "terminal", look=Look(width=80))
    assert long.replace(" ON public", "\n        ON public") in text.replace("    CREATE", "CREATE")


def test_a_message_of_the_server_keeps_its_lines() -> None:
    odd = replace(INCIDENT, error="syntax error\nLINE 1: selekt\n        ^")
    assert "  LINE 1: selekt" in render(report(odd), "terminal", look=Look())
