"""What a statement's text says, and what of it may be kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.model import Backend, RelationName, Statement, StatementKey
from premortem.watch.identity import LONGEST, identify, identify_session, is_ours, unnamed

TABLE = RelationName(schema="shop", name="items")


def test_an_entrys_text_and_a_sessions_are_one_statement() -> None:
    entry = identify("SELECT *\n  FROM shop.items WHERE sku = $1 AND status IN ($2 /*, ... */)", "shop", "app")
    session = identify("/*revision='a7c3dbe'*/ select * from shop.items where sku = 'x' and status in (1, 2)", "shop")
    assert entry.fingerprint == session.fingerprint
    assert entry.tables == session.tables == (TABLE,)
    assert session.text == "select * from shop.items where sku = $1 and status in ($2, $3)"
    assert session.tags == (("revision", "a7c3dbe"),)
    assert (entry.database, entry.role, entry.utility, entry.unreadable) == ("shop", "app", False, "")


@pytest.mark.parametrize(
    "text",
    [
        "ALTER ROLE bob PASSWORD 'hunter2'",
        "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 'hunter2')",
        "COPY items FROM PROGRAM 'curl hunter2'",
        "DO $$ BEGIN PERFORM 'hunter2'; END $$",
        "SELECT 'hunter2' /* hunter2 */ -- hunter2",
        "SELECT * FROM items WHERE name = 'hunter2",
        "SELECT * FROM items WHERE hunter2 hunter2 'hunter2'",
        "-- hunter2\nVACUUM items",
    ],
)
def test_no_value_comes_through(text: str) -> None:
    assert "hunter2" not in repr(identify(text, "shop", queryid=1)).replace("name='hunter2'", "")


def test_what_cannot_be_read_has_its_number_and_the_reason() -> None:
    found = identify("<insufficient privilege>", "shop", queryid=-1)
    assert (found.fingerprint, found.text) == ("queryid-ffffffffffffffff", "")
    assert "may not see" in found.unreadable
    assert "longer than" in identify("x" * LONGEST, "shop", queryid=1).unreadable
    assert "any more" in identify(None, "shop", queryid=1).unreadable
    assert unnamed(-1) != unnamed(1)


def test_a_session_is_known_by_its_entry_and_its_tags_are_its_own() -> None:
    key = StatementKey(dbid=5, userid=10, toplevel=True, queryid=77)
    known = {key: Statement(fingerprint="f1", text="select $1", database="shop")}
    tagged = Backend(pid=1, dbid=5, userid=10, queryid=77, text="/*app='web'*/ select 5")
    cut = replace(tagged, text="/*app='web'*/ select * from t wher", cut=True)
    for session in (tagged, cut):
        found = identify_session(session, "shop", known=known)
        assert (found.fingerprint, found.tags) == ("f1", (("app", "web"),))
    unknown = identify_session(replace(cut, queryid=78), "shop", known=known)
    assert unknown.fingerprint == unnamed(78)  # and not what `select * from t wher` says
    assert "beginning" in unknown.unreadable


def test_our_own_statements_are_known_wherever_the_tag_is() -> None:
    assert is_ours("SELECT /* premortem/watch */ 1")
    assert is_ours("/* premortem/watch */ SELECT 1")
    assert is_ours("EXPLAIN /* premortem/diagnose */ (FORMAT JSON) SELECT 1")
    assert not is_ours("SELECT 1 /* premortem/watch */")
    assert identify("SELECT /* premortem/watch */ 1", "shop").ours
