"""What a run would have met of the lock's queries, and what it may therefore forget."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from premortem import baseline, sources
from premortem.cli import locking
from premortem.cli.inputs import Inputs
from premortem.model import Accepted, Query, Site


def query(sql: str, source: str) -> Query:
    (found,) = sources.text(sql, Site(source=source, line=1))
    assert isinstance(found, Query)
    return found


def accepted(sql: str, source: str, *, is_captured: bool = False) -> Accepted:
    return Accepted(
        fingerprint=query(sql, source).fingerprint,
        text=sql,
        site=Site(source=source, line=1),
        shape=("Result",),
        rows_read=1.0,
        cost=1.0,
        is_captured=is_captured,
    )


CAPTURED = accepted("select 1 from a", "app/a.py", is_captured=True)
FILED = accepted("select 1 from b", "queries/b.sql")


@pytest.mark.parametrize("adopts", [False, True])
def test_only_adopting_forgets_what_a_suite_asked(tmp_path: Path, *, adopts: bool) -> None:
    file = locking.LockFile(path=tmp_path / "premortem.lock")
    half = Inputs(queries=(replace(query("select 2 from a", "app/c.py"), executions=3),))
    sees = locking.seer(argparse.Namespace(paths=[], workload=False), file, half)
    assert (sees(CAPTURED), sees(FILED)) == (True, False)
    lock = baseline.Lock(queries={"a-1": CAPTURED, "a-2": CAPTURED, "b-1": FILED})
    file = replace(file, lock=lock)
    assert locking.forgetter(sees, file, {"a-1": CAPTURED}, adopts=adopts)(CAPTURED) is adopts
    most = {"a-1": CAPTURED, "a-2": CAPTURED}  # one test is no whole suite
    assert not locking.forgetter(sees, file, most, adopts=adopts)(CAPTURED)
    failed = replace(half, is_whole=False)
    assert not locking.seer(argparse.Namespace(paths=[], workload=False), file, failed)(CAPTURED)


def test_what_became_of_the_queries_that_nobody_asked_is_told(tmp_path: Path) -> None:
    old = baseline.Lock(queries={"a-1": CAPTURED, "b-1": FILED})
    file = locking.LockFile(path=tmp_path / "premortem.lock", lock=old)
    lines = locking.write(file, baseline.Lock(queries={"a-1": CAPTURED}), (CAPTURED, FILED)).splitlines()
    assert lines[0].endswith("premortem.lock: 1 query, 1 removed")
    assert lines[1] == "  forgot 1 query that this run did not meet any more: queries/b.sql:1"
    assert lines[2].startswith("  kept 1 captured query that this run did not ask; premortem adopt")
