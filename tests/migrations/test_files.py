"""Migrations as their tools keep them: order, ways back, transactions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from premortem import migrations
from premortem.errors import InputError
from premortem.migrations.files import parse


def names(folder: Path) -> list[str]:
    return [str(Path(m.path).relative_to(folder)) for m in migrations.read([folder])]


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__SLASH__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_numbers_are_sorted_by_value_and_ways_back_are_left_out(tmp_path: Path) -> None:
    for name in ("10_b.up.sql", "10_b.down.sql", "2_a.up.sql", "2_a.down.sql", "3_undo.sql", "1_down_payment.sql"):
        (tmp_path / name).write_text("select 1;")
    assert names(tmp_path) == ["1_down_payment.sql", "2_a.up.sql", "10_b.up.sql"]


def test_flyways_versions_repeatables_and_undos(tmp_path: Path) -> None:
    for name in ("V1__a.sql", "V1.10__c.sql", "V1_2__b.sql", "V10__d.sql", "U1__a.sql", "B5__base.sql", "R__view.sql"):
        (tmp_path / name).write_text("select 1;")
    assert names(tmp_path) == ["V1__a.sql", "V1_2__b.sql", "V1.10__c.sql", "V10__d.sql", "R__view.sql"]


def test_folders_of_prisma_and_diesel(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "2024_a__SLASH__up.sql": "select 1;",
            "2024_a__SLASH__down.sql": "select 2;",
            "2025_b__SLASH__migration.sql": "select 3;",
            "migration_lock.toml": "",
        },
    )
    first, second = migrations.read([tmp_path])
    assert (first.tool, second.tool) == ("Diesel", "Prisma")
    assert first.wrapped
    assert second.wrapped


@pytest.mark.parametrize(
    "text",
    [
        "-- +goose Up\ncreate table a ();\n-- +goose Down\ndrop table a;\n",
        "-- +migrate Up\ncreate table a ();\n-- +migrate Down\ndrop table a;\n",
        "-- migrate:up\ncreate table a ();\n-- migrate:down\ndrop table a;\n",
        "-- Up Migration\ncreate table a ();\n-- Down Migration\ndrop table a;\n",
        "-- !Ups\ncreate table a ();\n-- !Downs\ndrop table a;\n",
        "create table a ();\n---- create above / drop below ----\ndrop table a;\n",
        "create table a ();\n--//@UNDO\ndrop table a;\n",
        "create table a ();\n-- rollback\ndrop table a;\n",
        "-- +goose Down\ndrop table a;\n-- +goose Up\ncreate table a ();\n",
    ],
)
def test_the_way_back_in_the_same_file_is_blank_and_lines_stay(text: str) -> None:
    found = parse("m.sql", text)
    assert "drop table" not in found.text
    assert found.text.count("\n") == text.count("\n")
    assert found.text.splitlines().index("create table a ();") == text.splitlines().index("create table a ();")


@pytest.mark.parametrize(
    "text",
    [
        "-- Rollback is impossible after this\ncreate table a ();",
        "--changeset a:1\nselect 1;\n--rollback drop table x;\n--changeset a:2\ncreate table a ();",
        "-- shuts down the old job\ncreate table a ();",
        "select 'x\n-- not a marker';\ncreate table a ();",
    ],
)
def test_a_comment_that_only_mentions_the_way_back_cuts_nothing(text: str) -> None:
    assert "create table a" in parse("m.sql", text).text


@pytest.mark.parametrize(
    ("name", "text", "wrapped"),
    [
        ("1.sql", "select 1;", None),
        ("1.sql", "-- atomic: false\nselect 1;", False),
        ("1.sql", "-- +goose Up\nselect 1;", True),
        ("1.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;", False),
        ("1.sql", "-- migrate:up\nselect 1;", True),
        ("1.sql", "-- migrate:up transaction:false\nselect 1;", False),
        ("1.sql", "-- +migrate Up notransaction\nselect 1;", False),
        ("20240101000000_x.up.sql", "select 1;", None),
        ("20240101000000_x.up.sql", "-- no-transaction\nselect 1;", False),
        ("V1__x.sql", "select 1;", True),
        ("1.sql", "--liquibase formatted sql\n--changeset a:1 runInTransaction:false\nselect 1;", False),
        ("1.sql", "--liquibase formatted sql\n--changeset a:1\nselect 1;", True),
        ("1.sql", "-- atlas:txmode none\nselect 1;", False),
        ("1.sql", "---- tern: disable-tx ----\nselect 1;", False),
        ("1.sql", "--! no-transaction\nselect 1;", False),
    ],
)
def test_whether_the_tool_wraps_a_file(name: str, text: str, wrapped: bool | None) -> None:
    assert parse(name, text).wrapped is wrapped


def test_whose_up_files_these_are(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{"rust__SLASH__Cargo.toml": "", "rust__SLASH__migrations__SLASH__20240101000000_x.up.sql": "select 1;"},
    )
    put(tmp_path, **{"go__SLASH__go.mod": "", "go__SLASH__db__SLASH__migrations__SLASH__1_x.up.sql": "select 1;"})
    put(tmp_path, **{"other__SLASH__1_x.up.sql": "select 1;"})
    found = migrations.read([tmp_path / "rust", tmp_path / "go", tmp_path / "other"])
    assert [m.tool for m in found] == ["sqlx", "golang-migrate", None]


def test_flyways_and_diesels_settings_beside_the_file(tmp_path: Path) -> None:
    put(tmp_path, **{"V1__x.sql": "select 1;", "V1__x.sql.conf": "executeInTransaction=false\n"})
    put(tmp_path, **{"d__SLASH__up.sql": "select 1;", "d__SLASH__metadata.toml": "run_in_transaction = false\n"})
    assert [m.wrapped for m in migrations.read([tmp_path / "d", tmp_path / "V1__x.sql"])] == [False, False]


def test_standard_input_and_what_cannot_be_read(tmp_path: Path) -> None:
    (piped,) = migrations.read([Path("-")], stdin=io.StringIO("BEGIN;\nALTER TABLE t ADD c int;\nCOMMIT;\n"))
    assert piped.path == "<stdin>"
    with pytest.raises(InputError, match="no migrations"):
        migrations.read([Path("-")])
    with pytest.raises(InputError, match=r"missing\.sql cannot be read"):
        migrations.read([tmp_path / "missing.sql"])
    (tmp_path / "latin.sql").write_bytes(b"select '\xe9'")
    with pytest.raises(InputError, match="byte 8"):
        migrations.read([tmp_path])


def test_a_folder_of_python_migrations_says_how_to_get_their_sql(tmp_path: Path) -> None:
    put(tmp_path, **{"app__SLASH__migrations__SLASH__0001_initial.py": ""})
    with pytest.raises(InputError) as raised:
        migrations.read([tmp_path])
    assert "sqlmigrate" in (raised.value.hint or "")
    put(tmp_path, **{"alembic__SLASH__env.py": "", "alembic__SLASH__versions__SLASH__1.py": ""})
    with pytest.raises(InputError) as raised:
        migrations.read([tmp_path / "alembic"])
    assert "alembic upgrade" in (raised.value.hint or "")


def test_only_what_the_branch_touches(tmp_path: Path) -> None:
    put(tmp_path, **{"1.sql": "select 1;", "2.sql": "select 2;"})
    (kept,) = migrations.read([tmp_path], only=lambda path: path.name == "2.sql")
    assert kept.text == "select 2;"


def test_steps_know_their_transaction_and_timeouts() -> None:
    text = """SET statement_timeout = 0;
ALTER TABLE a ADD x int;
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE b ADD x int;
COMMIT;
ALTER TABLE c ADD x int;
SET lock_timeout TO 3000;
ALTER TABLE d ADD x int;
BEGIN;
ALTER TABLE e ADD x int;
ROLLBACK;
SELECT set_config('lock_timeout', '0', false);
-- squawk-ignore ban-drop-column, renaming-table
ALTER TABLE f ADD x int;
"""
    found = {s.said.relation.name: s for s in migrations.steps([parse("m.sql", text)]) if s.said.relation is not None}
    assert [n for n, s in found.items() if s.lock_timeout] == ["b", "d", "e"]
    assert [n for n, s in found.items() if s.transaction is not None] == ["b", "e"]
    assert found["b"].transaction != found["e"].transaction
    assert [n for n, s in found.items() if s.undone] == ["e"]
    assert found["f"].ignored == {"ban-drop-column", "renaming-table"}
    assert found["f"].first_line == 15


def test_a_file_that_its_tool_wraps_is_one_transaction() -> None:
    steps = migrations.steps([parse("m.sql", "-- +goose Up\nALTER TABLE a ADD x int;\nALTER TABLE b ADD x int;\n")])
    assert len({s.transaction for s in steps}) == 1
    assert steps[0].transaction is not None
