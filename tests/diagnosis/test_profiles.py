"""Profiles that are kept in a folder: fresh, legible, and no trouble when the folder is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import catalog, pg
from premortem.diagnosis import Profiles, Sizes
from premortem.diagnosis.profiles import thinned
from premortem.errors import PremortemError
from premortem.model import RelationName, Values, Workload
from tests.diagnosis import shop

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
ORDERS = RelationName(schema="public", name="orders")


@pytest.mark.pg(">= 18")
def test_a_profile_is_read_when_it_is_due_and_kept_over_a_restart(database: str, tmp_path: Path) -> None:
    shop.load(database, items=3_000, orders=2_000)
    now = datetime.now(UTC)
    kept, name = Profiles(tmp_path, hours=6), shop.name_of(database)
    assert kept.profile("db/1", name) is None
    assert kept.is_due("db/1", name, now)
    profile = kept.refresh("db/1", name, database, now)
    assert kept.profile("db/1", name) is profile
    assert not kept.is_due("db/1", name, now + timedelta(hours=1))
    assert kept.is_due("db/1", name, now + timedelta(hours=7))

    again = Profiles(tmp_path, hours=6)
    assert again.profile("db/1", name) == profile
    assert not again.is_due("db/1", name, now + timedelta(hours=1))
    assert again.profile("db", f"1{name}") is None
    assert [s.rows[ORDERS] for s in again.sizes("db/1", name)] == [2_000.0]


@pytest.mark.pg(">= 18")
def test_the_texts_of_all_statements_are_not_read_for_it(database: str, tmp_path: Path) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("SELECT 1 AS one")
    with pg.session(database, purpose="test") as session:
        assert catalog.pull(session, values=Values.NONE).workload.statements
    kept = Profiles(tmp_path).refresh("db", shop.name_of(database), database, NOW)
    assert kept.workload == Workload()


@pytest.mark.pg(">= 18")
def test_ddl_makes_it_due_but_not_every_minute(database: str, tmp_path: Path) -> None:
    now, kept, name = datetime.now(UTC), Profiles(tmp_path, hours=6), shop.name_of(database)
    kept.refresh("db", name, database, now)
    kept.changed("db", name)
    assert not kept.is_due("db", name, now + timedelta(minutes=5))
    assert kept.is_due("db", name, now + timedelta(minutes=11))
    kept.refresh("db", name, database, now + timedelta(minutes=11))
    assert not kept.is_due("db", name, now + timedelta(minutes=40))


def test_a_server_that_does_not_answer_is_left_alone_for_a_while(tmp_path: Path) -> None:
    kept = Profiles(tmp_path, hours=6)
    with pytest.raises(PremortemError):
        kept.refresh("db", "x", "host=/nowhere", NOW)
    assert not kept.is_due("db", "x", NOW + timedelta(minutes=5))
    assert kept.is_due("db", "x", NOW + timedelta(minutes=11))
    assert kept.is_due("db", "x", NOW - timedelta(hours=1))


@pytest.mark.pg(">= 18")
def test_what_somebody_spoilt_is_not_there(database: str, tmp_path: Path) -> None:
    kept, name = Profiles(tmp_path), shop.name_of(database)
    kept.refresh("db", name, database, NOW)
    for path in tmp_path.rglob("*.*"):
        path.write_bytes(b"\xffnonsense\n{\n")
    assert kept.profile("db", name) is None
    assert kept.sizes("db", name) == ()
    kept.refresh("db", name, database, NOW)
    assert kept.profile("db", name) is not None


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    kept = Profiles(tmp_path)
    for name in ("../../etc", "/", "..", "a\0b", "x" * 500, "\N{SNOWMAN}"):
        folder = kept._folder(name, name)
        assert folder.resolve().parent == (tmp_path / "profiles").resolve()
        assert len(folder.name) < 100


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)), max_size=60))
def test_the_history_of_sizes_keeps_the_oldest_the_newest_and_every_day(ages: list[timedelta]) -> None:
    sizes = [Sizes(at=NOW - age) for age in ages]
    kept = thinned(sizes)
    assert list(kept) == sorted(kept, key=lambda s: s.at)
    assert {s.at.date() for s in kept} == {s.at.date() for s in sizes}
    assert set(map(id, kept)) <= set(map(id, sizes))
    if sizes:
        newest = max(s.at for s in sizes)
        assert {s.at for s in sizes if newest - s.at <= timedelta(days=2)} <= {s.at for s in kept}
