"""Each answer in each format, character by character; `RECORD=1 pytest tests/report/indexing` writes them anew."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.cli import parser
from premortem.model import Certainty, DropKind, FrontierPoint, Standing
from premortem.report import Look
from premortem.report.indexing import FORMATS, picture, render, told
from tests.report.indexing.samples import ASKED, EVERYTHING, NOTHING, SAMPLES, SKU
from tests.report.reports import EVIL

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"terminal": "txt", "sql": "sql", "json": "json", "markdown": "md", "html": "html"}
LOOK = Look(width=80, again="premortem advise -p prod.profile --budget 100MB")
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "reference" / "indexing.schema.json").read_text("utf-8"))
VOID = {"meta", "input", "link", "br", "img"}


def text_of(name: str, form: str, **look: Any) -> str:
    return render(SAMPLES[name], form, look=replace(LOOK, **look))


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_answer_looks_as_recorded(name: str, form: str) -> None:
    text = text_of(name, form)
    if form == "html":
        text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
        text = re.sub(r"sha256-[\w+/=]+", "sha256-", text)
    golden = GOLDEN / f"{name}.{ENDINGS[form]}"
    if os.environ.get("RECORD"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_the_formats_of_the_parser_are_those_of_the_report() -> None:
    assert tuple(FORMATS) == parser.ADVICE_FORMATS


def test_details_show_the_statements() -> None:
    text = text_of("everything", "terminal", details=True)
    assert SKU.statements[0] in text
    assert SKU.drop_statements[0] in text


# the first screen -----------------------------------------------------------------------------------------------------


def test_the_first_screen_says_what_it_buys_how_sure_and_what_to_type() -> None:
    screen = "\n".join(text_of("everything", "terminal").splitlines()[:36])
    for said in ("2 indexes", "14 MB", "order_items (product_sku, status)", "13 h/day → 1 h/day", "Planned on the twin",
                 "92 % of today's time is measured", f"{LOOK.again} --format sql > indexes.sql"):  # fmt: skip
        assert said in screen, said


def test_times_of_what_nobody_counted_are_not_a_day() -> None:
    assert "/day" not in text_of("nothing", "terminal")
    assert "this is the best found until then" in text_of("nothing", "terminal")


def test_no_next_step_where_there_is_nothing_to_do() -> None:
    assert list(told.next_steps(NOTHING, LOOK.again)) == []
    assert "--mirror" not in text_of("everything", "sql").split("Planned")[0]
    executed = replace(EVERYTHING, certainty=Certainty.EXECUTED)
    assert not any("--mirror" in command for command, _ in told.next_steps(executed, LOOK.again))


# hostile names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["terminal", "markdown", "sql", "html"])
def test_nothing_hostile_steers_a_reader(form: str) -> None:
    text = text_of("hostile", form, details=True)
    assert "\x1b" not in text.replace(r"\x1b", "")
    assert "\u202e" not in text


def test_a_comment_of_the_script_stays_one() -> None:
    """Whatever a name or a sentence holds, only statements are executed."""
    lines = text_of("hostile", "sql").splitlines()
    known = {*SKU.statements, *SKU.drop_statements, *EVERYTHING.drops[0].statements}
    executed = [line for line in lines if line and not line.startswith("--")]
    assert {line for line in executed if not line.startswith((r"\set", "SET "))} == known


class Balance(HTMLParser):
    """Refuses a page whose elements are not closed in the order in which they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_page_is_well_formed_and_asks_nobody(name: str) -> None:
    text = text_of(name, "html")
    page = Balance()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not re.search(r"<(?:link|img|iframe|object|embed|base|script)\b|\bsrc=|@import|url\(|\sstyle=", text)
    assert EVIL not in text


# the contract ---------------------------------------------------------------------------------------------------------


def printed(name: str) -> Any:
    return json.loads(text_of(name, "json"))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_answer_obeys_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(printed(name))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_schema_names_every_field(name: str) -> None:
    assert set(undocumented(printed(name), SCHEMA, "$")) == set()


def undocumented(value: Any, schema: Any, path: str) -> Iterator[str]:
    schema = resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from undocumented(item, schema["items"], f"{path}[]")
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in schema.get("properties", {}):
                yield f"{path}.{key}"
            else:
                yield from undocumented(inner, schema["properties"][key], f"{path}.{key}")


def resolved(schema: Any) -> Any:
    for option in schema.get("anyOf", []):
        schema = option if "$ref" in option else schema
    return SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def test_every_field_is_always_there() -> None:
    for definition in (SCHEMA, *SCHEMA["$defs"].values()):
        assert set(definition["required"]) == set(definition["properties"])


def test_the_schema_knows_every_word_of_the_model() -> None:
    found = {name: one["properties"] for name, one in SCHEMA["$defs"].items()}
    assert set(found["drop"]["kind"]["enum"]) == set(DropKind)
    assert set(found["asked"]["standing"]["enum"]) == {s.name.lower() for s in Standing}
    assert set(found["summary"]["certainty"]["enum"]) == {c.name.lower() for c in Certainty}


def test_every_place_of_a_query_is_one() -> None:
    document = printed("asked")
    gains = [g for one in (*document["recommendations"],) for g in one["helps"]]
    gains += [g for one in document["asked"] for g in (*one["alone"], *one["beside"])]
    assert gains
    assert {document["queries"][g["query"]]["fingerprint"] for g in gains} == {"aa", "bb"}
    assert len(document["queries"]) == 2


# the picture ----------------------------------------------------------------------------------------------------------


def frontier(pairs: list[tuple[int, float]]) -> tuple[FrontierPoint, ...]:
    points = [
        FrontierPoint(size_bytes=s, reads=timedelta(), upkeep=timedelta(), relative_cost=c, indexes=())
        for s, c in pairs
    ]
    return (*points[:-1], replace(points[-1], chosen=True))


PAIRS = st.lists(st.tuples(st.integers(0, 10**13), st.floats(1e-9, 3.0)), min_size=2, max_size=30)


@given(pairs=PAIRS, width=st.integers(30, 200))
def test_any_frontier_can_be_drawn(pairs: list[tuple[int, float]], width: int) -> None:
    lines = picture.drawn(frontier(pairs), width)
    assert all(len(line) <= width for line in lines)
    if lines:
        assert sum(line.count("◆") for line in lines) == 1


@given(pairs=PAIRS)
def test_steps_only_go_down(pairs: list[tuple[int, float]]) -> None:
    steps = picture.stepped(frontier(pairs))
    costs = [p.relative_cost for p in steps]
    assert costs == sorted(costs, reverse=True)
    assert [p.size_bytes for p in steps] == sorted(p.size_bytes for p in steps)


@given(pairs=PAIRS)
def test_a_long_frontier_keeps_its_ends_and_the_chosen_one(pairs: list[tuple[int, float]]) -> None:
    whole = replace(ASKED, frontier=frontier(pairs))
    shown = told.points(whole, 5)
    assert len(shown) <= max(5, 3)
    assert {whole.frontier[0], whole.frontier[-1]} <= set(shown)
    assert any(p.chosen for p in shown)


def test_where_nothing_fits_the_size_that_would_is_said() -> None:
    found = replace(EVERYTHING, recommendations=(), drops=(), budget_bytes=8192)
    said = render(found, "terminal", look=LOOK)
    assert said.startswith("NOTHING FITS")
    assert "8 kB are allowed" in said
