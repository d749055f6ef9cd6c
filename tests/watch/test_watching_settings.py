"""What premortem.toml says about watching: what it may say, and that a mistake is named with its line."""

from __future__ import annotations

import dataclasses
import tomllib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from premortem import settings
from premortem.errors import SettingsError
from premortem.settings import Channel, Instance, Maintenance, Mute, Override, Pooler, Secret, Watching, WatchLimits
from premortem.settings.parsing import WATCHED
from premortem.settings.watching import LIMITS_SAY

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text("utf-8")
DB = '[[instances]]\nname = "db"\ndsn = "host=db"\n'


def watching(text: str) -> Watching:
    return settings.parse(text, "premortem.toml").watching


def test_nothing_said_is_the_defaults() -> None:
    assert watching("") == Watching()
    assert watching("[watch]\n[watch.limits]\n") == Watching()


def test_everything_that_the_reference_shows_is_understood() -> None:
    example = PAGE.split("## Watching")[1].split("```toml\n")[1].split("```")[0]
    assert set(tomllib.loads(example)) == set(WATCHED)
    found = watching(example)
    assert found.store == Secret(env="PREMORTEM_STORE")
    assert found.overrides == (
        Override(place=1, tables=("reports.*",), changed={"mean_ms": 5000.0, "running_seconds": 600.0}),
    )
    assert found.instances == (
        Instance(
            name="orders-db", dsn=Secret(env="ORDERS_DSN"), services=("shop", "billing"), owners=("@acme/orders",),
            poolers=(Pooler(name="pgbouncer-1", dsn=Secret(env="PGBOUNCER_DSN")),),
        ),
    )  # fmt: skip
    assert found.channels == (
        Channel(
            name="on-call", kind="pagerduty", token=Secret(file="/run/secrets/pagerduty"), urgencies=("page",)
        ),
        Channel(name="team", kind="slack", url=Secret(env="SLACK_WEBHOOK"), most_per_hour=30),
    )  # fmt: skip
    # A mute that ends on a day holds through that day.
    assert found.mutes == (
        Mute(reason="the export is rewritten in May (K. L.)", fingerprints=("1f2e3d4c5b6a7988",),
             until=datetime(2027, 6, 1, tzinfo=UTC)),
    )  # fmt: skip
    assert found.maintenance == (
        Maintenance(
            reason="weekly reindex", instances=("orders-db",), days=("sun",), at=time(22), lasts=timedelta(hours=2)
        ),
    )  # fmt: skip


def test_every_setting_is_documented() -> None:
    page = PAGE.split("## Watching")[1]
    own = {"limits", "overrides", "instances", "channels", "mutes", "maintenance", "table_owners"}
    for field in dataclasses.fields(Watching):
        assert field.name in own or f"| `{field.name}` |" in page
    for kind in (Instance, Channel, WatchLimits):
        for field in dataclasses.fields(kind):
            assert f"| `{field.name}` |" in page
    for silence in (Mute, Maintenance):
        for field in dataclasses.fields(silence):
            assert f"`{field.name}`" in page
    assert set(LIMITS_SAY) == {field.name for field in dataclasses.fields(WatchLimits)}


def test_the_owners_of_tables_own_their_alerts() -> None:
    found = watching('[[owners]]\ntable = "pay*"\nowners = "@pay"\n[[owners]]\npath = "q"\nowners = "@q"\n')
    assert found.table_owners == ((("pay*",), ("@pay",)),)
    assert watching(f'[[owners]]\ntable = "pay*"\nowners = "@pay"\n{DB}').table_owners == ((("pay*",), ("@pay",)),)


def test_a_secret_never_shows_itself() -> None:
    found = watching('[[instances]]\nname = "db"\ndsn = "host=db password=swordfish"\n')
    assert "swordfish" not in repr(found)
    for mistake in ('dsn = ["swordfish"]', 'dsn = { value = "swordfish" }', 'dsn = { env = "A", file = "swordfish" }'):
        with pytest.raises(SettingsError) as caught:
            watching(f'[[instances]]\nname = "db"\n{mistake}\n')
        assert "swordfish" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[watch]\npoll_secnds = 3", "toml:2: watch: poll_secnds is no setting", "did you mean poll_seconds?"),
        ("[watch]\npoll_seconds = 0", "toml:2: watch.poll_seconds: 0 must be more than 0", None),
        ("[watch]\npoll_seconds = '15s'", "'15s' is no number", None),
        ("[watch]\nretention_days = 1.5", "1.5 is no whole number", None),
        ("[watch]\npoll_seconds = 200", "watch.poll_seconds: 200 s is too rare for a window of 300 s", "every 150 s"),
        (f"{DB}poll_seconds = 151", "toml:4: instances[1].poll_seconds: 151 s is too rare", None),
        ("[[watch.overrides]]\nwindow_seconds = 20", "15 s is too rare for a window of 20 s", None),
        ("[watch]\nlisten = '9187'", "toml:2: watch.listen: '9187' is no address", "127.0.0.1:9187"),
        ("[watch]\nlisten = 'x:99999'", "is no address", None),
        ("[watch]\nstore = 3", "toml:2: watch.store: a text or a place to find it is wanted", "env ="),
        ("[watch]\nstore = ''", "a text or a place", None),
        ("[watch]\nstore = {}", "one of env and file is wanted", None),
        ("[watch]\nlink = ''", "watch.link: a text is wanted", None),
        ("[watch.limits]\nmean_sm = 3", "toml:2: watch.limits: mean_sm is no setting", "did you mean mean_ms?"),
        ("[watch.limits]\nmean_ms = -3", "-3 must be 0 or more", None),
        ("[watch.limits]\nmean_ms = 0", "watch.limits.mean_ms: 0 would be over the limit always", None),
        ("[watch.limits]\npage_share = 20", "watch.limits.page_share: 20 is no part of 1", "0.2 for 20 %"),
        ("[watch.limits]\nworse_factor = 0.5", "0.5 must be 1 or more", None),
        ("[watch.limits]\nmin_calls = 2.5", "2.5 is no whole number", None),
        ("[watch]\nlimits = 3", "watch.limits: a table is wanted", "[watch.limits]"),
        ("[watch]\noverrides = 3", "watch.overrides: a list of tables is wanted", "[[watch.overrides]]"),
        ("[[watch.overrides]]\ntables = 'x'", "toml:1: watch.overrides[1]: an override needs a limit", "mean_ms ="),
        ("[[watch.overrides]]\ntable = 'x'\nmean_ms = 3", "table is no setting", "did you mean tables?"),
        ("[[watch.overrides]]\nmean_ms = 0", "toml:2: watch.overrides[1].mean_ms: 0 would be", None),
        (f"{DB}[[watch.overrides]]\ninstances = 'bd'\nmean_ms = 3", "bd is none of the [[instances]]", "known: db"),
        ("[[instances]]\ndsn = 'x'", "toml:1: instances[1]: name is missing", 'name = "orders-db"'),
        ("[[instances]]\nname = 'x'", "instances[1]: dsn is missing", "env ="),
        ('[[instances]]\nname = "a\\nb"\ndsn = "x"', "is no name", "one line"),
        (f"{DB}{DB}", "toml:5: instances[2].name: there is another db", None),
        (f"{DB}production = 'no'", "'no' is neither true nor false", None),
        (f"{DB}[[instances.poolers]]\nname = 'p'", "instances[1].poolers[1]: dsn is missing", None),
        (f"{DB}poolers = 'p'", "poolers: a list of tables is wanted", "[[instances.poolers]]"),
        ("[[channels]]\nname = 'x'\nkind = 'slak'\nurl = 'y'", "toml:3: channels[1].kind: 'slak' is none of", "slack?"),
        ("[[channels]]\nname = 'x'\nkind = 'slack'", "channels[1]: url is missing: slack needs it", None),
        ("[[channels]]\nname = 'x'\nkind = 'pagerduty'\nurl = 'y'", "token is missing: pagerduty", None),
        ("[[channels]]\nname='x'\nkind='slack'\nurl='y'\nurgencies='pag'", "'pag' is none of page, ticket", "page?"),
        ("[[channels]]\nname='x'\nkind='slack'\nurl='y'\nmost_per_hour=1.5", "1.5 is no whole number", None),
        ("[[mutes]]\nkinds = 'slow-query'", "toml:1: mutes[1]: reason is missing", "reason ="),
        ("[[mutes]]\nreason = 'x'\nkinds = 'slow-qery'", "toml:3: mutes[1].kinds: 'slow-qery' is none", "slow-query?"),
        ("[[mutes]]\nreason = 'x'\nuntil = 2026-12-01T10:00:00", "has no time zone", "write a Z"),
        ("[[mutes]]\nreason = 'x'\nuntil = 'May'", "'May' is no moment", "without quotes"),
        ("[[mutes]]\nreason = 'x'\nuntil = 9999-12-31", "beyond every calendar", None),
        ("[[maintenance]]\nreason = 'x'", "maintenance[1]: it has to say when", "every week"),
        ("[[maintenance]]\nreason='x'\nat='22:00'\nstarts=2026-12-01T22:00:00Z", "has to say when", None),
        ("[[maintenance]]\nreason='x'\nstarts=2026-12-01T22:00:00Z", "maintenance[1]: ends is missing", None),
        (
            "[[maintenance]]\nreason='x'\nstarts=2026-12-01T22:00:00Z\nends=2026-12-01T21:00:00Z",
            "toml:4: maintenance[1].ends: it ends before it starts",
            None,
        ),
        ("[[maintenance]]\nreason='x'\nat='22:00'", "lasts is missing", '"2h"'),
        ("[[maintenance]]\nreason='x'\nat='25:00'\nlasts='2h'", "'25:00' is no time of day", "UTC"),
        ("[[maintenance]]\nreason='x'\nat='22:00'\nlasts='2 weeks'", "is no duration up to 7 days", '"90m"'),
        ("[[maintenance]]\nreason='x'\nat='22:00'\nlasts='8d'", "is no duration up to 7 days", None),
        ("[[maintenance]]\nreason='x'\nat='22:00'\nlasts=''", "is no duration up to 7 days", None),
        ("[[maintenance]]\nreason='x'\nat='22:00'\nlasts='2h'\ndays='sunday'", "'sunday' is none of mon", "sun?"),
        ("[instances]\nname = 'x'", "instances: a list of tables is wanted", "[[instances]]"),
    ],
)
def test_what_it_does_not_know_is_refused(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(text, "premortem.toml")
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


def test_durations_and_times() -> None:
    for said, minutes in (("90m", 90), ("2h", 120), ("1h 30m", 90), ("1h30min", 90), ("7d", 7 * 24 * 60)):
        (found,) = watching(f"[[maintenance]]\nreason='x'\nat=22:00:00\nlasts='{said}'").maintenance
        assert found.lasts == timedelta(minutes=minutes)
        assert found.at == time(22)
    assert watching("[watch]\nlisten = ''").listen == ""
