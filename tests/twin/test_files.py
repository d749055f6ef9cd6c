"""What the files say is what PostgreSQL reads from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from premortem import pg
from premortem.twin import files


@pytest.mark.parametrize("level", [0, 1, 2, 5])
def test_a_written_b_tree_is_one_to_postgresql(server: pg.Server, database: str, level: int) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE EXTENSION pageinspect")
        db.execute("CREATE EXTENSION amcheck")
        db.execute("CREATE TABLE t (id int); CREATE INDEX t_id ON t (id)")
        db.execute("CHECKPOINT")
        path = Path(server.data_directory) / str(db.value("SELECT pg_catalog.pg_relation_filepath('t_id')"))
        files.extend(path, 20, server.owner)
        files.write_btree(path, level)
        assert db.value("SELECT fastlevel FROM bt_metap('t_id')") == level
        assert db.value("SELECT root FROM bt_metap('t_id')") == (level + 1 if level else 0)
        db.execute("SELECT bt_index_check('t_id')")
        db.execute("SET enable_seqscan = off")
        assert db.value("SELECT count(*) FROM t WHERE id BETWEEN 1 AND 1000") == 0


def test_segments_end_where_postgresql_expects(tmp_path: Path) -> None:
    path = tmp_path / "16384"
    files.extend(path, 2 * files.SEGMENT_BLOCKS + 5)

    sizes = [p.stat().st_size for p in (path, tmp_path / "16384.1", tmp_path / "16384.2")]
    assert sizes == [files.SEGMENT_BLOCKS * files.BLOCK] * 2 + [5 * files.BLOCK]
    assert sum(p.stat().st_blocks for p in tmp_path.iterdir()) == 0
    assert files.blocks(path) == 2 * files.SEGMENT_BLOCKS + 5


def test_a_file_is_never_made_shorter(tmp_path: Path) -> None:
    path = tmp_path / "16384"
    path.write_bytes(b"x" * 3 * files.BLOCK)
    files.extend(path, 1)
    assert path.read_bytes() == b"x" * 3 * files.BLOCK
