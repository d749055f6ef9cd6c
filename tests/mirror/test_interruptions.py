"""Whoever is killed, and whenever: going on makes the mirror that an undisturbed run makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from premortem import catalog, mirror, pg
from premortem.errors import MirrorError, TargetRefused
from premortem.mirror import Crewing, Options, Place, manifest
from premortem.model import Profile
from tests.mirror.conftest import built, digest, pulled, value, values

LARGE = """
CREATE TABLE entries (id bigint PRIMARY KEY, ref int NOT NULL, at timestamptz NOT NULL, text text);
INSERT INTO entries SELECT i, i % 1000, timestamptz '2026-01-01' + i * interval '1 second', 'entry ' || i
FROM generate_series(1, 60000) i;
CREATE INDEX entries_ref ON entries (ref);
CREATE TABLE few (id int PRIMARY KEY);
INSERT INTO few SELECT generate_series(1, 10);
VACUUM ANALYZE;
"""
#: Twelve times as many, in chunks enough to be interrupted in the middle.
OPTIONS = Options(scale=12)
CONTENTS = "SELECT count(*) || ' ' || sum(hashtextextended(e::text, 0)) || ' ' || count(DISTINCT id) FROM entries e"
_profiles: list[Profile] = []
_contents: list[str] = []


@pytest.fixture
def large(server18: pg.Server) -> Profile:
    if not _profiles:
        _profiles.append(pulled(server18, LARGE))
    return _profiles[0]


@pytest.fixture
def undisturbed(large: Profile, other18: Place) -> str:
    """What the large table holds after a run that nobody disturbed."""
    if not _contents:
        built(other18, large, OPTIONS)
        _contents.append(str(value(other18, CONTENTS)))
    return _contents[0]


def _until(happened: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something, as long as it takes."""
    while not happened():
        assert process is None or process.poll() is None, "it ended before that"
        time.sleep(0.01)


def _chunks(place: Place) -> int:
    with pg.writer(place.dsn, purpose="test") as db:
        return len(manifest.chunks(db)) if db.value("SELECT to_regclass('premortem.mirror_chunk')") else 0


def _command(place: Place, profile: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "premortem", "mirror", "build", "-p", str(profile), "--to", place.dsn, "--scale", "12",
        "--workers", "2", *more,
    ]  # fmt: skip


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found += [int(entry.name), *_children(int(entry.name))]
    return found


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_killed_and_gone_on_with(large: Profile, empty18: Place, undisturbed: str, tmp_path: Path) -> None:
    file = tmp_path / "large.profile"
    catalog.write(large, file)
    process = subprocess.Popen(_command(empty18, file), stderr=subprocess.DEVNULL)
    _until(lambda: _chunks(empty18) >= 2, process)
    workers = [pid for pid in _children(process.pid) if _is_worker(pid)]
    process.kill()
    process.wait()
    _until(lambda: not any(_is_worker(pid) for pid in workers))  # nobody works on for a run that is gone
    assert _chunks(empty18) >= 2
    assert subprocess.run(_command(empty18, file), capture_output=True, check=False).returncode == 2
    went_on = subprocess.run(_command(empty18, file, "--resume"), capture_output=True, text=True, check=True)
    assert "720,120 rows" in went_on.stdout
    assert value(empty18, CONTENTS) == undisturbed
    assert values(empty18, "SELECT stage FROM premortem.mirror") == ("complete",)


def test_a_worker_is_killed(large: Profile, empty18: Place, undisturbed: str, tmp_path: Path) -> None:
    file = tmp_path / "large.profile"
    catalog.write(large, file)
    process = subprocess.Popen(_command(empty18, file), stdout=subprocess.PIPE)
    _until(lambda: _chunks(empty18) >= 2, process)
    os.kill(next(pid for pid in _children(process.pid) if _is_worker(pid)), signal.SIGKILL)
    assert process.communicate()[0].startswith(b"mirror of ")
    assert value(empty18, CONTENTS) == undisturbed


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pg.Server]:
    with pg.start(pg.installation(18), settings={"autovacuum": False}) as server:
        yield server


def test_a_server_crashes_and_comes_back(large: Profile, own_server: pg.Server, undisturbed: str) -> None:
    """Its postmaster ends every session and recovers; what was committed stays."""
    place = Place(dsn=own_server.dsn())

    def crash(says: str) -> None:
        if says.startswith("loading") and not crashed:
            with pg.writer(place.dsn, purpose="test") as db:
                pids = db.values(
                    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'premortem/mirror%' LIMIT 1"
                )
            crashed.extend(pids)
            for pid in pids:
                os.kill(int(pid), signal.SIGKILL)

    crashed: list[object] = []
    value(place, "ALTER DATABASE postgres SET premortem.role = 'staging'")
    with pytest.raises(MirrorError) as ended:  # for our own session was among those that ended
        mirror.build(place, large, OPTIONS, digest=digest(large), crewing=Crewing(workers=2), told=crash)
    assert "--resume" in (ended.value.hint or "")
    assert crashed
    _until(lambda: _answers(place))
    built(place, large, OPTIONS, workers=2, resume=True)
    assert value(place, CONTENTS) == undisturbed


def _answers(place: Place) -> bool:
    try:
        return value(place, "SELECT 1") == 1
    except Exception:  # noqa: BLE001  # whatever a server says that is not there yet
        return False


def test_interrupted_while_the_schema_is_made(
    large: Profile, empty18: Place, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from premortem.mirror import schema

    real, done = manifest.run_step, []

    def interrupted(db: pg.Session, sql: str) -> None:
        done.append(sql)
        if len(done) == 3:
            raise KeyboardInterrupt
        real(db, sql)

    monkeypatch.setattr(schema.manifest, "run_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built(empty18, large, OPTIONS)
    monkeypatch.undo()
    with pytest.raises(TargetRefused, match="not finished"):
        built(empty18, large, OPTIONS)
    built(empty18, large, OPTIONS, resume=True)
    assert value(empty18, CONTENTS) == undisturbed


def test_interrupted_at_every_step_of_finishing(
    large: Profile, empty18: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run gets one step further; none does a step twice."""
    real, done = manifest.run_step, []

    def interrupted(db: pg.Session, sql: str) -> None:
        real(db, sql)
        done.append(sql)
        raise KeyboardInterrupt

    monkeypatch.setattr(manifest, "run_step", interrupted)
    runs = 0
    while runs < 40:
        runs += 1
        try:
            found = built(empty18, large, resume=runs > 1)
        except KeyboardInterrupt:
            continue
        break
    assert found.rows == 60_010
    assert len(done) == len(set(done))
    indexes = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'entries'::regclass ORDER BY indexrelid"
    assert values(empty18, indexes) == ("entries_pkey", "entries_ref")
