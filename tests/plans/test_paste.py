"""Plans as people paste them: with what a terminal, a log, a spreadsheet or a web page put around them."""

# ruff: noqa: E501  (plans have long lines)

from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import plans
from premortem.errors import InputError

PLAIN = """\
Limit  (cost=0.29..12.40 rows=20 width=68) (actual time=0.020..0.031 rows=20 loops=1)
  Buffers: shared hit=3 read=1
  ->  Nested Loop Left Join  (cost=0.29..1210.00 rows=2000 width=68) (actual time=0.019..0.027 rows=20 loops=1)
        Join Filter: (o.kind = 'a | b'::text)
        Rows Removed by Join Filter: 7
        ->  Index Scan Backward using "Orders_pkey" on public."Orders" o  (cost=0.29..700.00 rows=2000 width=60) (never executed)
              Index Cond: (id > 3)
        ->  Materialize  (cost=0.00..2.00 rows=3 width=8) (actual time=0.001..0.001 rows=1 loops=20)
              ->  Seq Scan on kind k  (cost=0.00..1.00 rows=3 width=8) (actual time=0.001..0.001 rows=3 loops=1)
                    Filter: (SubPlan 1)
                    SubPlan 1
                      ->  Function Scan on generate_series g  (cost=0.00..1.00 rows=1 width=4) (actual time=0.0..0.0 rows=1 loops=3)
Planning Time: 0.120 ms
Execution Time: 0.055 ms
"""


def framed(left: str, right: str, header: str = "", footer: str = "") -> str:
    width = max(map(len, PLAIN.splitlines()))
    body = "\n".join(f"{left}{line.ljust(width) if right else line}{right}" for line in PLAIN.splitlines())
    return f"{header}\n{body}\n{footer}\n"


PASTED = {
    "psql": framed(" ", "", f"{'QUERY PLAN'.center(80)}\n{'-' * 100}", "(14 rows)\n\nTime: 12.3 ms"),
    "psql, border 2": framed("| ", " |", "+------+\n|  QUERY PLAN  |\n+------+", "+------+\n(14 rows)"),
    "psql, unicode": framed("│ ", " │", "┌──────┐\n│  QUERY PLAN  │\n├──────┤", "└──────┘"),
    "psql, right bar": framed(" ", " |"),
    "indented": textwrap.indent(PLAIN, "        "),
    "quoted mail": textwrap.indent(PLAIN, "> ", lambda _: True),
    "quoted below a greeting": f"Hi all,\n{textwrap.indent(PLAIN, '> ', lambda _: True)}\nAny ideas?\nAnn\n",
    "quoted twice": f"> so?\n{textwrap.indent(PLAIN, '>> > ', lambda _: True)}> no idea\nbye\n",
    "quoted with bars": f"Hi,\n{textwrap.indent(PLAIN, '| ', lambda _: True)}bye\n",
    "quoted as a comment": f"Hi,\n{textwrap.indent(PLAIN, '-- ', lambda _: True)}bye\n",
    "quoted in part": textwrap.indent("".join(PLAIN.splitlines(True)[:4]), "> ")
    + "".join(PLAIN.splitlines(True)[4:]),
    "Markdown": f"Look at this:\n\n```text\n{PLAIN}```\n",
    "spreadsheet": "\n".join('"' + line.replace('"', '""') + '"' for line in PLAIN.splitlines()),
    "arrows": PLAIN.replace("->  ", "→   "),
    "blank lines": PLAIN.replace("\n", "\n\n"),
    "carriage returns": PLAIN.replace("\n", "\r\n"),
    "no-break spaces": PLAIN.replace("  ", "\u00a0\u00a0"),
    "auto_explain": "2026-01-02 03:04:05.678 UTC [42] app@shop LOG:  duration: 12.3 ms  plan:\n\tQuery Text: select *\n"
    "\t  from \"Orders\" o -- isn't it\n" + textwrap.indent(PLAIN, "\t"),
    "first line trimmed": textwrap.indent(PLAIN, "   ").lstrip(),
}  # fmt: skip


@pytest.mark.parametrize("how", PASTED)
def test_what_stands_around_a_plan_does_not_change_it(how: str) -> None:
    pasted, plain = plans.parse(PASTED[how]), plans.parse(PLAIN)
    assert plans.lines(pasted) == plans.lines(plain)
    assert pasted.execution_ms == 0.055


def test_every_part_of_a_pasted_plan_is_understood() -> None:
    plan = plans.parse(PLAIN)
    limit, join, orders, materialize, scan, function = plan.walk()
    assert [n.kind for n in plan.walk()] == [
        "Limit", "Nested Loop", "Index Scan", "Materialize", "Seq Scan", "Function Scan",
    ]  # fmt: skip
    assert limit.actual is not None
    assert (limit.actual.shared_hit_blocks, limit.actual.shared_read_blocks) == (3, 1)
    assert (join.join_type, join.join_filter) == ("Left", "(o.kind = 'a | b'::text)")
    assert (orders.index, orders.scan_direction, orders.alias) == ("Orders_pkey", "Backward", "o")
    assert orders.relation is not None
    assert (orders.relation.schema, orders.relation.name) == ("public", "Orders")
    assert orders.actual is not None
    assert orders.actual.loops == 0
    assert (materialize.parent_relationship, scan.parent_relationship) == ("Inner", "Outer")
    assert (function.parent_relationship, function.subplan_name) == ("SubPlan", "SubPlan 1")
    assert function.relation is None
    assert plan.planning_ms == 0.120


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("Custom Scan (Columnar) on t  (cost=0.00..1.00 rows=1 width=4)\n  Projected Columns: a, b", "Custom Scan", "Projected Columns"),
        ("Gather Motion 3:1  (slice1; segments: 3)  (cost=0.00..1.00 rows=1 width=4)", "Gather Motion 3:1  (slice1; segments: 3)", ""),
        ("Vector Index Probe  (cost=0.00..1.00 rows=1 width=4)\n  Probes: 3", "Vector Index Probe", "Probes"),
        ("Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  something without a colon", "Seq Scan", "Unknown"),
    ],
)  # fmt: skip
def test_an_unknown_node_or_property_is_kept(text: str, kind: str, kept: str) -> None:
    root = plans.parse(text).root
    assert root.kind == kind
    assert not kept or kept in root.raw


def test_only_the_first_of_several_plans_is_read() -> None:
    assert plans.lines(plans.parse(PLAIN + "\n" + PLAIN)) == plans.lines(plans.parse(PLAIN))


def test_a_plan_of_an_old_server_is_read() -> None:
    old = PLAIN.replace("Planning Time", "Planning time").replace("Execution Time: 0.055", "Total runtime: 0.055")
    assert plans.parse(old).execution_ms == 0.055


AS_JSON = [{"Plan": {"Node Type": "Seq Scan", "Relation Name": "t", "Schema": "s", "Plan Rows": 3, "New in 27": [1]}}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(AS_JSON),
        json.dumps(AS_JSON[0]),
        json.dumps(AS_JSON[0]["Plan"]),
        f"QUERY PLAN\n-----\n {json.dumps(AS_JSON, indent=2)}\n(1 row)",
        "\n".join(f" {line.ljust(60)}+" for line in json.dumps(AS_JSON, indent=2).splitlines()),
        "\n".join(f"| {line.ljust(60)}+|" for line in json.dumps(AS_JSON, indent=2).splitlines()),
        "2026-01-02 LOG:  duration: 1 ms  plan:\n\t" + json.dumps({"Query Text": "select 1", **AS_JSON[0]}),
    ],
)
def test_json_is_read_however_it_was_copied(text: str) -> None:
    root = plans.parse(text).root
    assert (root.kind, root.rows) == ("Seq Scan", 3)
    assert root.raw["New in 27"] == [1]


@pytest.mark.parametrize(
    "text",
    ["", "hello", "select 1", "{}", "[]", '{"Plan": 3}', '{"a": "Node Type"}', '"Node Type"', "[" * 100_000 + '"Node Type"',
     "<explain xmlns=...>", "(cost=", "- Plan:\n    Nodes: 3", "- Plan:\n    Node Type: &a [*a"],
)  # fmt: skip
def test_what_is_no_plan_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InputError) as refused:
        plans.parse(text)
    assert refused.value.hint


def test_a_plan_that_is_nested_beyond_reason_is_refused() -> None:
    deep = "\n".join(
        f"{' ' * (6 * depth - 4 if depth else 0)}{'->  ' if depth else ''}Result  (cost=0.00..1.00 rows=1 width=4)"
        for depth in range(1500)
    )
    with pytest.raises(InputError):
        plans.parse(deep)


def _outcome(text: str) -> None:
    """Parse, and use what comes of it; nothing but InputError may be raised."""
    try:
        plan = plans.parse(text)
    except InputError:
        return
    assert plans.lines(plan)
    assert plans.shape(plan)
    assert plans.worst_cost(plan) >= 0 or plan.total_cost < 0 or plan.total_cost != plan.total_cost


@given(st.text())
def test_any_text_is_a_plan_or_refused(text: str) -> None:
    _outcome(text)


LINES = [*PLAIN.splitlines(), "Settings: a = 'b', c = 'd'", "JIT:", "  Functions: 3", "  CTE x", "InitPlan 1 (returns $0)",
         "Sort Key: a, b", "Group Key: ()", "Filter: (a = 'x", "y'::text)", "Worker 0:  Sort Method: quicksort", "->", ": "]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(LINES)), max_size=30))
def test_any_shuffled_plan_is_a_plan_or_refused(lines: list[tuple[int, str]]) -> None:
    _outcome("\n".join(" " * indent + line.strip() for indent, line in lines))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Plan",
                    "Plans",
                    "Node Type",
                    "Plan Rows",
                    "Total Cost",
                    "Settings",
                    "Triggers",
                    "Sort Key",
                    "Relation Name",
                    "Schema",
                    "Actual Rows",
                    "Actual Loops",
                    "Filter",
                    "Grouping Sets",
                    "x",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(JSON_VALUES)
def test_any_json_is_a_plan_or_refused(value: object) -> None:
    _outcome(json.dumps(value))


OLD = """\
 Update on ev  (cost=0.00..82.50 rows=26 width=14) (actual time=0.005..0.005 rows=0 loops=1)
   Update on ev1
   Update on ev2
   ->  Seq Scan on ev1  (cost=0.00..41.25 rows=13 width=14) (actual time=0.003..0.003 rows=0 loops=1)
         Filter: (a = 3)
         Rows Removed by Filter: 200000
   ->  Seq Scan on ev2  (cost=0.00..41.25 rows=13 width=14) (never executed)
         Filter: (a = 3)
 Planning time: 0.1 ms
 Trigger for constraint a_fkey on b: time=2345.123 calls=2
 JIT:
   Functions: 14
   Generation Time: 3.1 ms
   Inlining: true
   Inlining Time: 20.2 ms
 Execution time: 2400.2 ms
"""


def test_what_only_old_servers_print_is_understood() -> None:
    (pasted,) = plans.read(OLD + "(15 rows)\n")
    plan = pasted.plan
    assert pasted.sound
    assert [n.alias for n in plan.root.children] == ["ev1", "ev2"]
    assert (plan.planning_ms, plan.execution_ms, plan.jit_ms) == (0.1, 2400.2, pytest.approx(23.3))
    assert [(t.constraint, t.relation, t.time_ms) for t in plan.triggers] == [("a_fkey", "b", 2345.123)]
    timed = plans.parse(
        PLAIN.replace("  Buffers: shared hit=3 read=1", "  Buffers: shared hit=3\n  I/O Timings: read=1.5")
    )
    assert timed.root.actual is not None
    assert timed.root.actual.read_ms == 1.5


def test_a_newer_servers_fractions_and_stores_are_understood() -> None:
    plan = plans.parse(
        "WindowAgg  (cost=1.00..2.00 rows=60 width=24) (actual time=19.8..36.3 rows=0.33 loops=3)\n"
        "  Window: w1 AS (PARTITION BY kind)\n  Storage: Disk  Maximum Storage: 17kB\n  Disabled: true\n"
        "  ->  Index Scan using a on t  (cost=0.00..1.00 rows=60 width=20) (actual time=0.0..4.7 rows=60.00 loops=3)\n"
        "        Index Searches: 7\n        Heap Fetches: 2\nPlanning:\n  Buffers: shared hit=3 read=9\n"
        "  Memory: used=19kB  allocated=32kB\nPlanning Time: 0.1 ms\nSerialization: time=4.1 ms  output=1257kB  format=text\n"
    )
    window, scan = (n.actual for n in plan.walk())
    assert window is not None
    assert scan is not None
    assert (window.rows, window.disk_kb, scan.index_searches, scan.heap_fetches) == (0.33, 17, 7, 2)
    assert plan.planning_read_blocks == 9


@pytest.mark.parametrize("mark", ["~ ", ": ", "\u2022 ", "?> "])
def test_a_line_with_a_mark_of_something_else_is_no_node(mark: str) -> None:
    """A tree of nodes that nobody knows would pass every rule."""
    with pytest.raises(InputError, match="is none"):
        plans.read(textwrap.indent(PLAIN, mark))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"Plan": {"Node Type": "Seq Scan", "Relation Name": "t", "Total Cost": 3.0}}], indent=2),
        '- Plan:\n    Node Type: "Seq Scan"\n    Relation Name: "t"\n    Total Cost: 3.0\n',
    ],
)
def test_the_other_forms_are_quoted_too(text: str) -> None:
    (found,) = plans.read(f"Hi all,\n{textwrap.indent(text, '> ')}\nAny ideas?\n")
    assert found.plan.root.kind == "Seq Scan"
    assert str(found.plan.root.relation).endswith("t")
