"""What is written of alerts and channels is so: every JSON field, every setting of the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from premortem import settings
from premortem.model import Turn
from premortem.notify import KINDS, Digest, details, message
from tests.notify.incidents import AT, FIRST_SEED, SIX_WEEKS_AGO, cases, change

ROOT = Path(__file__).parents[2]


def keys(found: Any, *, below: str = "") -> Iterator[str]:
    """Yield the names of fields, those of free-form objects left out."""
    if isinstance(found, list):
        for one in found:
            yield from keys(one, below=below)
    if isinstance(found, dict) and below not in ("facts", "tags"):
        for name, value in found.items():
            yield name
            yield from keys(value, below=name)


def test_every_field_is_documented() -> None:
    page = (ROOT / "docs/reference/alert.md").read_text("utf-8")
    said = message(change(Turn.OPENED, FIRST_SEED))
    digest = Digest(id="d", at=AT, most_per_hour=1, messages=(said,))
    every = {
        *keys(details.details(said)),
        *keys(details.digest_details(digest)),
        *keys(details.deploy_details(SIX_WEEKS_AGO)),
    }
    assert {name for name in every if f"`{name}`" not in page} == set()


def test_the_example_of_a_deployment_can_be_read() -> None:
    path = ROOT / "deploy/premortem.toml"
    found = settings.parse(path.read_text("utf-8"), str(path)).watching
    assert [one.kind for one in found.channels] == ["pagerduty", "slack"]
    assert "{key}" in found.link


def test_every_kind_of_channel_has_its_example() -> None:
    page = (ROOT / "docs/how-to/notify.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in page.split("```toml\n")[1:]]
    shown = [settings.parse(block, "notify.md").watching.channels for block in blocks]
    assert [one.kind for (one,) in shown] == ["slack", "pagerduty", "alertmanager", "webhook", "apprise"]
    assert set(KINDS) == {one.kind for (one,) in shown}


def test_the_page_shows_what_is_said() -> None:
    page = (ROOT / "docs/how-to/notify.md").read_text("utf-8")
    said = message(cases()["first-seed-opened"])
    assert f"[{said.tag}] {said.title}" in page
