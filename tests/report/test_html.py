"""The HTML page, in a real browser: nothing hostile runs, nobody is asked, and filter, keys and themes work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from premortem.model import Report, Verdict
from premortem.report import Look, cards, render
from tests.report.reports import EVIL, INCIDENT, QUIET, REPORTS, SKIPPED, planned, query, report, scan

VOID = {"meta", "input", "link", "br", "img"}


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


def parsed(text: str) -> Balance:
    page = Balance()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def page_of(told: Report, *, details: bool = False) -> str:
    return render(told, "html", look=Look(details=details))


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_page_is_well_formed(name: str, details: bool) -> None:
    parsed(page_of(REPORTS[name], details=details))


def test_the_page_names_no_other_file() -> None:
    text = page_of(REPORTS["hostile"])
    assert not re.search(r"<(?:link|img|iframe|object|embed|base)\b|\bsrc=|@import|url\(", text)
    assert "default-src &#39;none&#39;" in text
    assert "unsafe" not in text


def test_a_deep_plan_is_a_page_too() -> None:
    node = scan(1.0, 1)
    for cost in range(150):
        node = {"Node Type": "Limit", "Total Cost": float(cost), "Plans": [{**node, "Parent Relationship": "Outer"}]}
    deep = replace(INCIDENT, planned=(planned("hot", node),), findings=())
    parsed(page_of(report(deep), details=True))


def test_so_many_quiet_queries_are_counted() -> None:
    told = report(*[QUIET] * (cards.MOST_QUIET + 7), SKIPPED, unchanged=4_990)
    text = page_of(told)
    said = "Not shown: 7 more queries with nothing found, 1 statement without a plan (SET, CREATE TABLE) and 4,990"
    assert said in text
    assert text.count('class="card pass"') == cards.MOST_QUIET


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"], timeout=120_000
        )
        yield running
        running.close()


def opened(browser: Browser, folder: Path, told: Report, *, scheme: str = "light") -> Page:
    """Open a report from its file; whatever the page logs or asks for beside itself is an error."""
    file = folder / "report.html"
    file.write_text(page_of(told), "utf-8")
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.set_default_timeout(120_000)
    page.on("request", lambda request: _nobody(request.url, file.as_uri()))
    page.on("console", lambda message: pytest.fail(message.text))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(file.as_uri())
    return page


def _nobody(asked: str, own: str) -> None:
    if asked != own:
        pytest.fail(f"the page asked for {asked}")


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def test_nothing_hostile_runs(browser: Browser, tmp_path: Path) -> None:
    evil = "</pre></style></title><script>document.title='owned'</script><img src=x onerror=alert(1)>{{7*7}}\x1b[31m"
    odd = replace(
        REPORTS["hostile"].queries[0],
        original=f"{EVIL}{evil}",
        error=evil,
        hint=evil,
        owners=(evil,),
        findings=(replace(INCIDENT.findings[0], says=evil, rule=evil),),
        planned=(planned("rare", {**scan(9.0, 1), "Filter": evil, "Relation Name": evil}, evil),),
    )
    page = opened(browser, tmp_path, report(odd))
    assert page.title() == "FAIL: premortem"
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    body = page.locator("main").inner_text()
    assert "onerror=alert(1)" in body
    assert "{{7*7}}" in body
    assert "\x1b" not in body
    page.close()


def test_the_policy_lets_no_script_in(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, REPORTS["incident"])
    blocked = browser.new_page()
    blocked.goto(page.url)
    blocked.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = "document.title = 'owned'";
        document.body.append(s); const i = new Image(); i.src = 'http://127.0.0.1:9/x'; document.body.append(i); }"""
    )
    assert blocked.title() == "FAIL: premortem"
    page.close()
    blocked.close()


def test_filters(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, REPORTS["changes"])
    assert count(page) == "5 of 5"
    page.locator("#severity").select_option("error")
    assert count(page) == "3 of 5"
    page.locator("#severity").select_option("all")
    page.locator("#find").fill("NIGHT shift")
    assert count(page) == "1 of 5"
    assert page.locator(".card:visible h3").all_inner_texts() == [
        "FAIL edited queries/items.sql:3 (by_sku) and 1 other place"
    ]
    page.close()


def test_only_what_changed(browser: Browser, tmp_path: Path) -> None:
    changes = REPORTS["changes"]
    new = changes.queries[2].difference
    assert new is not None
    old = replace(QUIET, difference=replace(new, change=type(new.change).UNCHANGED))
    page = opened(browser, tmp_path, replace(changes, queries=(*changes.queries, old)))
    assert count(page) == "6 of 6"
    page.keyboard.press("n")
    assert count(page) == "5 of 6"
    page.close()


def test_keys(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, report(*[replace(INCIDENT, original=f"select {n}") for n in range(3)]))
    page.keyboard.press("c")
    assert page.locator("details.card[open]").count() == 0
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("o")
    assert page.locator("details.card[open]").get_attribute("id") == "q2"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('.card').id") == "q1"
    page.keyboard.press("e")
    assert page.locator("details.card[open]").count() == 3
    page.keyboard.press("/")
    page.keyboard.type("join")
    assert page.locator("#find").input_value() == "join"
    assert count(page) == "0 of 3"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes(browser: Browser, tmp_path: Path, scheme: str) -> None:
    def ground() -> int:
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    page = opened(browser, tmp_path, REPORTS["incident"], scheme=scheme)
    before = ground()
    assert (before > 380) == (scheme == "light")
    page.locator("#theme").click()
    assert (ground() > 380) != (scheme == "light")
    for _ in range(120):  # Chromium writes a page's storage a moment later, and a reload may be another process
        page.wait_for_timeout(500)
        page.reload()
        if (ground() > 380) != (scheme == "light"):
            break
    assert (ground() > 380) != (scheme == "light")
    page.close()


def test_before_now_and_with_the_index_stand_side_by_side(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, REPORTS["changes"])
    page.set_viewport_size({"width": 1400, "height": 900})
    boxes = [p.bounding_box() for p in page.locator("#q1 .panels .panel").all()]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes[:2] if box}) == 1
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= 400")
    page.close()


def test_print_shows_what_is_folded(browser: Browser, tmp_path: Path) -> None:
    told = report(replace(QUIET, findings=()), INCIDENT)
    page = opened(browser, tmp_path, told)
    assert len(page.pdf()) > 10_000
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open]):not(.as-text)").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details:not([open])").count() > 0
    page.close()


def test_five_hundred_queries(browser: Browser, tmp_path: Path) -> None:
    bad = [replace(INCIDENT, site=replace(INCIDENT.site, line=n), query=query(line=n)) for n in range(250)]
    page = opened(browser, tmp_path, report(*bad, *[QUIET] * 250))
    assert count(page) == "500 of 500"
    page.locator("#find").fill("items.sql:217")
    assert count(page) == "1 of 500"
    page.close()


def test_it_can_be_read_without_its_script(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page_of(REPORTS["incident"]), "utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert not page.locator("#controls").is_visible()
    assert page.locator("text=CREATE INDEX CONCURRENTLY").first.is_visible()
    context.close()


def test_the_verdict_is_the_title() -> None:
    for verdict, label in ((Verdict.FAIL, "FAIL"), (Verdict.UNKNOWN, "COULD NOT TELL"), (Verdict.PASS, "PASS")):
        assert f"<title>{label}: premortem</title>" in page_of(replace(report(QUIET), verdict=verdict))
