"""squawk as it is: the real program on real files, and what is said where it is missing or cannot read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from premortem import migrations
from premortem.migrations import saying, squawk
from premortem.migrations.files import parse

BAD = """
ALTER TABLE orders ADD COLUMN note varchar(10) NOT NULL;
CREATE INDEX orders_note ON orders (note);
-- squawk-ignore ban-drop-table
DROP TABLE old;
"""


def test_it_finds_what_it_finds_in_the_files_own_lines() -> None:
    found = migrations.lint([parse("db/1.sql", "select 1;"), parse("db/2.sql", BAD)], 15)
    assert found.complete
    assert {(v.path, v.line) for v in found.violations if v.rule == "require-concurrent-index-creation"} == {
        ("db/2.sql", 3)
    }
    assert "ban-drop-table" not in {v.rule for v in found.violations}


def test_every_rule_of_its_is_one_of_ours() -> None:
    assert [r for r in RULES if r not in saying.RULES] == []
    program = squawk.program()
    assert program is not None
    excluded = ",".join(r for r in RULES if r != "unused-ignore")
    done = subprocess.run([program, "--exclude", excluded], input=b"select 1;", capture_output=True, check=False)
    assert b"invalid rule name" not in done.stderr


#: squawk 2.70's rules, as its documentation lists them.
RULES = """
adding-field-with-default adding-foreign-key-constraint adding-not-nullable-field adding-required-field
adding-serial-primary-key-field ban-alter-domain-with-add-constraint ban-char-field
ban-concurrent-index-creation-in-transaction ban-create-domain-with-constraint ban-drop-column ban-drop-database
ban-drop-not-null ban-drop-table ban-duplicate-column-assignments ban-truncate-cascade ban-uncommitted-transaction
changing-column-type constraint-missing-not-valid disallowed-unique-constraint identifier-too-long
prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-repack prefer-robust-stmts prefer-text-field
prefer-timestamptz renaming-column renaming-table require-concurrent-index-creation require-concurrent-index-deletion
require-concurrent-partition-detach require-concurrent-reindex require-enum-value-ordering require-lock-timeout
require-statement-timeout require-table-schema transaction-nesting unused-ignore
""".split()


def test_every_rule_of_migrations_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "migrations.md").read_text("utf-8")
    assert [name for name in saying.RULES if f"`{name}`" not in page] == []
    assert "`require-statement-timeout`" in page.partition("Matters of taste")[2]


def test_what_it_cannot_read_is_a_gap_and_other_files_are_read() -> None:
    found = migrations.lint([parse("a.sql", "selec where from;"), parse("b.sql", BAD)], 18)
    assert [g.subject for g in found.gaps] == ["migration a.sql"]
    assert {v.path for v in found.violations} == {"b.sql"}


def test_a_missing_or_broken_program_is_no_pass(tmp_path: Path) -> None:
    broken = tmp_path / "squawk"
    broken.write_text("#!/bin/sh\necho no idea >&2\nexit 3\n")
    broken.chmod(0o755)
    for program in (broken, tmp_path / "none"):
        found = migrations.lint([parse("a.sql", BAD)], 15, using=program)
        assert not found.complete
        assert found.gaps[0].cure == "python3 -m pip install squawk-cli"


def test_a_settings_file_of_its_own_that_is_broken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".squawk.toml").write_text("excluded_rules = [1")
    monkeypatch.chdir(tmp_path)
    found = migrations.lint([parse("a.sql", BAD)], 15)
    assert not found.complete
    assert "onfiguration" in found.gaps[0].says


def test_nothing_to_lint_needs_no_program() -> None:
    assert migrations.lint([], 15) == squawk.Linted()
