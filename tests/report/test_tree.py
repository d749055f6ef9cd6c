"""A plan as text: what repeats itself is counted, and the node that hurts is always there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.model import Actual
from premortem.plans import parse_json
from premortem.report import tree
from tests.report.reports import partitioned, probe, scan


@pytest.mark.parametrize("count", [1, 3, 4, 5, 200])
def test_every_partition_is_shown_or_counted(count: int) -> None:
    plan = partitioned(count).planned[0].plan
    rows = tree.rows(plan, hot=(count - 1,))
    shown = [r for r in rows if not isinstance(r, tree.Alike)][1:]
    alike = [r for r in rows if isinstance(r, tree.Alike)]
    left = int(alike[0].says.split()[1]) if alike else 0
    assert len(shown) + left == count
    assert len(shown) <= 3
    assert any(r.path == (count - 1,) for r in shown)
    assert tree.MARK in tree.text(plan, hot=(count - 1,))


def test_partitions_that_differ_in_what_they_do_are_all_there() -> None:
    mixed = [scan(100.0, 5), probe(8.0, 1)] * 3
    plan = parse_json([{"Plan": {"Node Type": "Append", "Plans": mixed}}])
    assert len(tree.rows(plan)) == 7


def test_what_was_measured_is_told() -> None:
    plan = parse_json([{"Plan": scan(100.0, 5)}])
    actual = Actual(startup_ms=0.1, total_ms=12.3456, rows=7, loops=2)
    ran = replace(plan.root, actual=actual)
    assert tree.figures(ran).endswith("(actual time=0.100..12.346 rows=7 loops=2)")
    (shown,) = tree.rows(
        replace(plan, root=replace(ran, actual=replace(actual, disk_kb=2_048, rows_removed_by_filter=9)))
    )
    assert not isinstance(shown, tree.Alike)
    assert tree.details(shown)[-1] == "Measured: rows removed by filter 9, on disk 2 MB"
    never = replace(plan.root, actual=Actual(rows=0, loops=0))
    assert tree.figures(never).endswith("(never executed)")
