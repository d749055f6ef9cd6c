"""The same chunks on a Dask cluster: none twice, none missing, whoever is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from premortem import mirror, pg
from premortem.errors import MirrorError
from premortem.mirror import Crewing, Options, Place
from premortem.model import Profile
from tests.mirror.conftest import digest, pulled, value

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask's own, while its workers come and go

ROWS = """
CREATE TABLE entries (id bigint PRIMARY KEY, ref int NOT NULL, text text);
INSERT INTO entries SELECT i, i % 1000, 'entry ' || i FROM generate_series(1, 60000) i;
VACUUM ANALYZE;
"""
OPTIONS = Options(scale=8)
CONTENTS = "SELECT count(*) || ' ' || sum(hashtextextended(e::text, 0)) || ' ' || count(DISTINCT id) FROM entries e"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def entries(server18: pg.Server) -> Profile:
    return pulled(server18, ROWS)


def test_workers_that_are_lost(entries: Profile, empty18: Place, other18: Place, cluster: Any) -> None:
    killed: list[int] = []

    def kill(says: str) -> None:
        if says.startswith("loading") and not killed:
            killed.append(int(next(iter(cluster.workers.values())).process.pid))
            os.kill(killed[0], signal.SIGKILL)

    crewing = Crewing(dask=cluster.scheduler_address)
    found = mirror.build(empty18, entries, OPTIONS, digest=digest(entries), crewing=crewing, told=kill)
    assert killed
    assert found.rows == 480_000
    mirror.build(other18, entries, OPTIONS, digest=digest(entries))
    assert value(empty18, CONTENTS) == value(other18, CONTENTS)


def test_a_scheduler_that_is_not_there(entries: Profile, empty18: Place) -> None:
    with pytest.raises(MirrorError, match="cannot be reached"):
        mirror.build(empty18, replace(entries), Options(), digest="d", crewing=Crewing(dask="tcp://127.0.0.1:9"))
