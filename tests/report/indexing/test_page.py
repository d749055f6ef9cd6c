"""The page in a real browser, wide and narrow, light and dark: it fits, and what it shows can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from premortem.report import Look
from premortem.report.indexing import render
from tests.report.indexing.samples import SAMPLES


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def opened(browser: Browser, name: str, folder: Path, *, width: int, dark: bool = False) -> tuple[Page, list[str]]:
    file = folder / f"{name}.html"
    file.write_text(render(SAMPLES[name], "html", look=Look()), "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith("file:") else None)
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_page_fits_and_asks_nobody(browser: Browser, tmp_path: Path, name: str, width: int) -> None:
    page, said = opened(browser, name, tmp_path, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()


@pytest.mark.parametrize(("width", "shown", "hidden"), [(1280, "wide", "narrow"), (400, "narrow", "wide")])
def test_one_picture_is_shown_and_its_figures_can_be_read(
    browser: Browser, tmp_path: Path, width: int, shown: str, hidden: str
) -> None:
    page, _ = opened(browser, "everything", tmp_path, width=width)
    assert page.locator(f"svg.{shown}").is_visible()
    assert not page.locator(f"svg.{hidden}").is_visible()
    boxes = page.locator(f"svg.{shown} text").evaluate_all("t => t.map(x => x.getBoundingClientRect().height)")
    assert min(boxes) >= 11
    assert page.locator(f"svg.{shown} polygon.chosen title").text_content() is not None
    assert page.get_by_role("img").get_attribute("aria-labelledby") == f"{shown}-title"
    page.close()


def contrast(page: Page, selector: str, style: str = "color") -> float:
    """Return the contrast of an element's colour with the page's ground, as WCAG 2 defines it."""
    found: float = page.evaluate(
        """([selector, style]) => {
            const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const light = text => {
                const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
                return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
            };
            const a = light(getComputedStyle(document.querySelector(selector))[style]);
            const b = light(getComputedStyle(document.body).backgroundColor);
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }""",
        [selector, style],
    )
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_told_from_the_ground(browser: Browser, tmp_path: Path, dark: bool) -> None:
    page, _ = opened(browser, "everything", tmp_path, width=1280, dark=dark)
    for selector in ("main a", ".dim", ".verdict"):
        assert contrast(page, selector) >= 4.5, selector
    assert contrast(page, "svg.wide .axis", "fill") >= 4.5
    assert contrast(page, "svg.wide .steps", "stroke") >= 3
    assert contrast(page, "svg.wide .chosen", "fill") >= 3
    page.close()


def test_a_query_is_a_click_away(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, "everything", tmp_path, width=1280)
    page.locator("#i1 a[href='#q1']").click()
    assert page.locator("#q1").is_visible()
    page.close()
