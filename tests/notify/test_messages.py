"""The message is the product: what it says of both seeds, and of every kind and turn, is held in golden files.

`python -m tests.notify.test_messages` writes them again; read them before they are committed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from premortem.model import Alert, AlertKind, Cause, Turn
from premortem.notify import Message, Stage, message, naming, slack, text
from tests.notify.incidents import FIRST_SEED, KINDS, SECOND_SEED, cases, change, closed

GOLDEN = Path(__file__).parent / "golden"
LINK = "https://pm.example/alerts/{key}"
SEEDS = ("first-seed-opened", "first-seed-closed", "second-seed-opened")


def told(name: str) -> Message:
    return message(cases()[name], link=LINK)


def as_text(name: str) -> str:
    said = told(name)
    return f"{text.subject(said)}\n\n{text.body(said)}\n"


def as_slack(name: str) -> str:
    return json.dumps(slack.payload(told(name)), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", sorted(cases()))
def test_what_a_mail_says(name: str) -> None:
    assert as_text(name) == (GOLDEN / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", SEEDS)
def test_what_slack_shows(name: str) -> None:
    assert as_slack(name) == (GOLDEN / f"{name}.slack.json").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_nobody_watches_any_more_is_not_called_over(name: str) -> None:
    end = closed(KINDS[name])
    gone = replace(end, alert=replace(end.alert, unwatched="nobody watches this instance any more"))
    said = naming.title(gone.alert, "closed")
    assert "nobody watches" in said or said.endswith("…")
    assert "no longer slow" not in said
    assert "answers again" not in said


def test_every_kind_has_a_golden_opening_and_close() -> None:
    assert set(KINDS) == {kind.value for kind in AlertKind}
    assert set(naming.CAUSES) | {Cause.UNKNOWN} == set(Cause)


@pytest.mark.parametrize(
    ("alert", "table", "index", "deploy", "typed"),
    [
        (FIRST_SEED, "order_items", "order_items (product_sku, status)", "9f2b7c1d", "CREATE INDEX CONCURRENTLY"),
        (SECOND_SEED, "orders", "orders (status, id)", "a7c3dbe", "CREATE INDEX CONCURRENTLY"),
    ],
)
def test_a_lock_screen_says_table_index_and_deploy(
    alert: Alert, table: str, index: str, deploy: str, typed: str
) -> None:
    said = message(change(Turn.OPENED, alert))
    assert len(said.title) <= naming.MOST_TITLE
    assert all(one in said.title for one in (table, index, deploy))
    first = text.body(said).split("\n\n")[1]
    assert first.startswith("Do now: ")
    assert typed in first


def test_a_title_gives_up_the_deploy_before_the_index() -> None:
    assert FIRST_SEED.diagnosis is not None
    sql = f"CREATE INDEX i ON public.order_items ({', '.join(f'a_long_column_{n}' for n in range(3))})"
    actions = (replace(FIRST_SEED.diagnosis.actions[0], sql=(sql,)),)
    long = replace(FIRST_SEED.diagnosis, actions=actions)
    said = message(change(Turn.OPENED, replace(FIRST_SEED, instance="a-long-name-of-an-instance-1", diagnosis=long)))
    assert len(said.title) <= naming.MOST_TITLE
    assert "missing index order_items" in said.title
    assert "9f2b7c1d" not in said.title
    assert "9f2b7c1d" in text.body(said)


@pytest.mark.parametrize("kind", [kind.value for kind in AlertKind])
def test_every_alert_says_what_to_type(kind: str) -> None:
    said = message(change(Turn.OPENED, KINDS[kind]))
    if KINDS[kind].diagnosis is None:
        assert said.actions
        assert said.actions[0].sql or said.actions[0].command


def test_an_end_asks_for_nothing() -> None:
    said = told("first-seed-closed")
    assert said.is_over
    assert not said.actions
    assert "42 min" in said.title


def test_an_end_that_nobody_was_told_the_beginning_of_is_a_message_about_the_past() -> None:
    opened, ended = change(Turn.OPENED, FIRST_SEED), closed(FIRST_SEED)
    said = message(ended, earlier=(opened,))
    assert said.stage is Stage.PAST
    assert said.tag == "OVER"


def test_what_gets_worse_untold_is_told_as_an_opening() -> None:
    opened = change(Turn.OPENED, FIRST_SEED)
    worse = change(Turn.WORSE, FIRST_SEED, after=timedelta(minutes=3))
    assert message(worse, earlier=(opened,)).stage is Stage.OPENED
    assert message(worse, known=False).stage is Stage.OPENED
    assert message(worse).stage is Stage.WORSE


def test_an_earlier_spell_that_was_never_told_is_mentioned() -> None:
    again = replace(FIRST_SEED, opened_at=FIRST_SEED.opened_at + timedelta(hours=2))
    said = message(change(Turn.OPENED, again), earlier=(change(Turn.OPENED, FIRST_SEED), closed(FIRST_SEED)))
    assert said.notes[0] == "Was open before, 24 Mar 14:37 UTC for 42 min, untold."


def test_a_link_is_filled_in_safely() -> None:
    odd = replace(FIRST_SEED, instance="db/1?x=<b>", database="ä b")
    said = message(change(Turn.OPENED, odd), link="https://pm.example/{instance}/{database}?k={key}")
    assert said.links[0].url.startswith("https://pm.example/db%2F1%3Fx%3D%3Cb%3E/%C3%A4%20b?k=")


def test_a_deploy_whose_address_is_none_gives_no_button() -> None:
    assert FIRST_SEED.diagnosis is not None
    first, *_ = FIRST_SEED.diagnosis.suspects
    for url in ("javascript:alert(1)", "file:///etc/passwd", "https://", "//x", "http://[", "https://x/" + "a" * 3000):
        suspect = replace(first, deploy=replace(first.deploy, url=url))
        odd = replace(FIRST_SEED, diagnosis=replace(FIRST_SEED.diagnosis, suspects=(suspect,)))
        assert message(change(Turn.OPENED, odd)).links == ()


def write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name in cases():
        (GOLDEN / f"{name}.txt").write_text(as_text(name), "utf-8")
    for name in SEEDS:
        (GOLDEN / f"{name}.slack.json").write_text(as_slack(name), "utf-8")


if __name__ == "__main__":
    write()
