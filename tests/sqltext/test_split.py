"""Files as people keep them: names, comments, wrappers, utility statements, and damage that stays local."""

# ruff: noqa: E501 - in a table, an example is a line

import pytest

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Allow, Query, Site, StatementKind, Unreadable


def split(text: str) -> tuple[Query | Unreadable, ...]:
    return sqltext.split(text, "f.sql")


def queries(text: str) -> list[Query]:
    return [q for q in split(text) if isinstance(q, Query)]


NAMED = """\
-- Some licence

-- name: GetUser :one
-- premortem: allow seq-scan-discards-rows (small table)
select *
from users where id = $1; -- premortem: allow sort-without-index, deep-offset (paged; (rarely))

-- name: by-email^
-- returns one
select * from users where email = :email
-- :name all_users :many
select * from users;
select 2;
/* @name PgTyped */
select 3;
--! cornucopia (a, b?)
select 4;
"""


def test_names_lines_and_comments() -> None:
    found = queries(NAMED)
    assert [(q.site.name, q.site.line, q.text.splitlines()[0]) for q in found] == [
        ("GetUser", 5, "select *"),
        ("by-email", 10, "select * from users where email = $1"),
        ("all_users", 12, "select * from users"),
        ("all_users", 13, "select 2"),
        ("PgTyped", 15, "select 3"),
        ("cornucopia", 17, "select 4"),
    ]
    assert str(found[0].site) == "f.sql:5 (GetUser)"
    assert found[0].original.startswith("-- name: GetUser :one\n-- premortem")
    assert found[0].original.endswith("id = $1;")
    assert found[0].allows == (
        Allow(rule="seq-scan-discards-rows", reason="small table", line=4),
        Allow(rule="sort-without-index", reason="paged; (rarely)", line=6),
        Allow(rule="deep-offset", reason="paged; (rarely)", line=6),
    )
    assert all(not q.allows for q in found[1:])


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("-- premortem: allow x (why)", ("x", "why")),
        ("--premortem:allow x(why)", ("x", "why")),
        ("/* premortem: allow x (why) */", ("x", "why")),
        ("-- premortem: allow x", ("x", "")),
        ("-- premortem: allow x ()", ("x", "")),
        ("-- premortem: alow x (typo)", ("alow x (typo)", "")),
        ("-- Premortem: ALLOW", ("ALLOW", "")),
    ],
)
def test_allow_comments(comment: str, expected: tuple[str, str]) -> None:
    for text in (f"{comment}\nselect 1", f"select 1 {comment}\n;", f"select 1; {comment}\nselect 2;"):
        assert [(a.rule, a.reason) for a in queries(text)[0].allows] == [expected]


def test_a_comment_behind_code_names_no_query() -> None:
    (found,) = queries("select a, -- name: of the customer\n  b from t")
    assert (found.site.name, found.text) == (None, "select a, -- name: of the customer\n  b from t")


def test_an_allow_above_the_next_statement_belongs_to_that_one() -> None:
    one, two = queries("select 1;\n-- premortem: allow x (why)\nselect 2;")
    assert (one.allows, [a.rule for a in two.allows]) == ((), ["x"])


@pytest.mark.parametrize(
    ("sql", "kind", "planned"),
    [
        ("select 1", StatementKind.SELECT, "select 1"),
        ("table x", StatementKind.SELECT, "table x"),
        ("values (1), (2)", StatementKind.VALUES, "values (1), (2)"),
        ("(select 1) union all (select 2)", StatementKind.SELECT, "(select 1) union all (select 2)"),
        ("insert into a select * from b", StatementKind.INSERT, "insert into a select * from b"),
        ("update a set b = 1", StatementKind.UPDATE, "update a set b = 1"),
        ("delete from a using b where a.x = b.x", StatementKind.DELETE, "delete from a using b where a.x = b.x"),
        ("merge into a using b on a.x=b.x when matched then delete", StatementKind.MERGE, "merge into a using b on a.x=b.x when matched then delete"),
        ("with d as (delete from a returning *) select * from d", StatementKind.SELECT, "with d as (delete from a returning *) select * from d"),
        ("with d as (select 1) insert into a select * from d", StatementKind.INSERT, "with d as (select 1) insert into a select * from d"),
        ("select * from q for update skip locked limit 1", StatementKind.SELECT, "select * from q for update skip locked limit 1"),
        # the query inside
        ("explain select 1", StatementKind.SELECT, "select 1"),
        ("explain analyze verbose select 1", StatementKind.SELECT, "select 1"),
        ("EXPLAIN (ANALYZE, FORMAT JSON) select 1", StatementKind.SELECT, "select 1"),
        ("explain (select 1)", StatementKind.SELECT, "(select 1)"),
        ("copy (select * from a) to stdout with (format csv)", StatementKind.SELECT, "select * from a"),
        ("copy (delete from a returning b) to '/x'", StatementKind.DELETE, "delete from a returning b"),
        ("declare c no scroll cursor with hold for select 1 for update", StatementKind.SELECT, "select 1 for update"),
        ("prepare p as select $1", StatementKind.SELECT, "select $1"),
        ("prepare p (int, numeric(3,1)) as select $1, $2, '$1'", StatementKind.SELECT, "select ($1::int), ($2::numeric(3,1)), '$1'"),
        ("explain prepare p as select 1", StatementKind.SELECT, "select 1"),
        ("create table a as select 1 as \"as\" with no data", StatementKind.SELECT, "select 1 as \"as\""),
        ("create temp table a (x, y) as values (1, 2)", StatementKind.VALUES, "values (1, 2)"),
        ("create or replace view v as select 1 with local check option", StatementKind.SELECT, "select 1"),
        ("create materialized view if not exists v as with x as (select 1) select * from x with data", StatementKind.SELECT, "with x as (select 1) select * from x"),
        ("select a into temp table b.c from d", StatementKind.SELECT, "select a  from d"),
        # nothing to plan
        ("copy a from stdin", StatementKind.UTILITY, "copy a from stdin"),
        ("copy a to stdout", StatementKind.UTILITY, "copy a to stdout"),
        ("execute p (1)", StatementKind.UTILITY, "execute p (1)"),
        ("explain execute p (1)", StatementKind.UTILITY, "explain execute p (1)"),
        ("create table a as execute p", StatementKind.UTILITY, "create table a as execute p"),
        ("create table a (b int default 1)", StatementKind.UTILITY, "create table a (b int default 1)"),
        ("create index on a (b)", StatementKind.UTILITY, "create index on a (b)"),
        ("begin", StatementKind.UTILITY, "begin"),
        ("set x = :y", StatementKind.UTILITY, "set x = :y"),
        ("SET search_path TO $1", StatementKind.UTILITY, "SET search_path TO $1"),
        ("prepare transaction 'x'", StatementKind.UTILITY, "prepare transaction 'x'"),
        ("do $$ begin perform 1; end $$", StatementKind.UTILITY, "do $$ begin perform 1; end $$"),
        ("call f(:x)", StatementKind.UTILITY, "call f(:x)"),
        ("refresh materialized view v", StatementKind.UTILITY, "refresh materialized view v"),
        ("\\timing on", StatementKind.UTILITY, "\\timing on"),
    ],
)  # fmt: skip
def test_kinds_and_the_query_inside(sql: str, kind: StatementKind, planned: str) -> None:
    (found,) = queries(f"{sql};" if not sql.startswith("\\") else sql)
    assert (found.kind, found.text) == (kind, planned)


def test_semicolons_inside_a_statement() -> None:
    body = "create function f() returns int begin atomic select 1; select case when a then 1 end from t; end"
    rule = "create rule r as on insert to a do also (insert into b values (1); delete from c)"
    dollar = "create procedure p() language sql as $x$ select 1; select 2; $x$"
    found = queries(f"{body};\n{rule};\n{dollar};\nbegin; select 1; end;")
    assert [q.text for q in found] == [body, rule, dollar, "begin", "select 1", "end"]


def test_psql_commands_are_reported_where_they_stand() -> None:
    found = split("select 1;\n\\i other.sql\nselect 2;\n")
    assert [type(f).__name__ for f in found] == ["Query", "Unreadable", "Query"]
    assert found[1].site == Site(source="f.sql", line=2)


def test_copy_data_is_skipped() -> None:
    found = split("copy a from stdin;\n1\tit's; select\n\\.\n\nselect 1;")
    assert [f.site.line for f in found] == [1, 5]


def test_a_mistake_costs_only_its_own_statement() -> None:
    text = "select 1;\nselect from where;\nselect 'open;\nselect 3;\n-- name: four\nselect 4 from (;\nselect 5;\n"
    found = split(text)
    assert [(f.site.line, type(f).__name__) for f in found] == [
        (1, "Query"),
        (2, "Unreadable"),
        (3, "Unreadable"),
        (4, "Query"),
        (6, "Unreadable"),
        (7, "Query"),
    ]


def test_a_quote_that_pairs_with_a_later_one_does_not_swallow_statements() -> None:
    found = split("select 'open;\nselect 2;\nselect 'closed' as x;\nselect 4;")
    assert [(f.site.line, type(f).__name__) for f in found] == [
        (1, "Unreadable"),
        (2, "Query"),
        (3, "Query"),
        (4, "Query"),
    ]


def test_the_line_of_an_error_is_the_line_of_the_mistake() -> None:
    (found,) = split("-- name: x\nselect a,\n  'é' as b\nfrom t\nwhere )")
    assert isinstance(found, Unreadable)
    assert (found.site.line, found.site.name, found.says) == (5, "x", 'syntax error at or near ")"')


def test_a_text_that_was_cut_off_says_so() -> None:
    (found,) = split("select a from t where b = ")
    assert isinstance(found, Unreadable)
    assert found.hint == "the text seems to be cut off"


@pytest.mark.parametrize("text", ["", " \n", "-- only a comment", "/* x */;", ";;;"])
def test_nothing_is_nothing(text: str) -> None:
    assert split(text) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select * from t where a = 1", "select * from t where a = $1"),
        ("select * from t where a in (1, 2)", "select * from t where a in (1, 2, 3)"),
        ("select * from t where a in ($1, $2)", "select * from t where a in ($1 /*, ... */)"),
        ("select * from t where a = 'x'", "SELECT *\n FROM t WHERE a = :name"),
        ("select * from t limit 5", "select * from t limit ?"),
    ],
)
def test_fingerprints_are_the_same_for_all_values(one: str, other: str) -> None:
    assert queries(one)[0].fingerprint == queries(other)[0].fingerprint


def test_fingerprints_differ_for_different_queries() -> None:
    found = {sqltext.fingerprint(f"select * from t where {c} = 1") for c in "abc"}
    assert len(found) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "+".join(["1"] * 60_000),
        "select " + "(" * 900 + "1" + ")" * 900,
        "select " + "f(" * 2_000 + "1" + ")" * 2_000,
        "select " + " || ".join(["a"] * 300),
        " union all ".join(["select 1"] * 20_000),
        "select 1 where a in (" + ",".join(map(str, range(50_000))) + ")",
        "select " + "-" * 5_000 + "1",
        "select " + "(" * 100_000,
    ],
    ids=["sum", "parentheses", "calls", "concatenation", "union", "list", "dashes", "open"],
)
def test_deep_and_long_statements_are_read_or_refused_but_never_fatal(sql: str) -> None:
    for found in split(sql):
        assert isinstance(found, Query | Unreadable)


def test_a_file_of_40_000_lines() -> None:
    block = "-- name: q{0}\nselect a, b from t{0}\nwhere a = :x and b in ('it''s', '--')\n  and c > :y::int;\n"
    found = split("".join(block.format(i) for i in range(10_000)))
    assert len(found) == 10_000
    last = found[-1]
    assert isinstance(last, Query)
    assert (last.site.name, last.site.line, last.parameter_count) == ("q9999", 39_998, 2)


def test_facts_of_a_statement() -> None:
    facts = sqltext.statement_facts(
        "with d as (delete from s.a where id = $1 returning *), e as (select * from b) "
        "select * from d join e on true left join c x using (id) order by 1 limit $2 offset 40"
    )
    assert facts.kind is StatementKind.SELECT
    assert facts.writes == (sqltext.TableName("s", "a"),)
    assert set(facts.reads) == {sqltext.TableName(None, "b"), sqltext.TableName(None, "c")}
    assert facts.deletes_from("a", "s")
    assert dict(facts.aliases)["x"] == sqltext.TableName(None, "c")


def test_facts_of_writes() -> None:
    facts = sqltext.statement_facts("update a set b = 1, c = 2 from a as other where a.id = other.parent")
    assert (facts.writes, facts.updated("a", "public")) == ((sqltext.TableName(None, "a"),), {"b", "c"})
    assert facts.reads == (sqltext.TableName(None, "a"),)
    assert sqltext.tables('insert into "T x" (a) select a from b') == (
        sqltext.TableName(None, "T x"),
        sqltext.TableName(None, "b"),
    )


def test_updates_and_deletes_are_seen_wherever_they_stand() -> None:
    cte = sqltext.statement_facts("with u as (update s.a set b = 1 returning *) select * from u")
    assert (cte.updated("a", "s"), cte.updated("behind_a_view"), cte.deletes) == ({"b"}, {"b"}, ())
    two = sqltext.statement_facts("with u as (update a set x = 1 returning *) delete from b using u where u.id = b.id")
    assert (two.updated("a"), two.updated("b"), two.deletes_from("a"), two.deletes_from("b")) == ({"x"}, set(), 0, 1)
    upsert = sqltext.statement_facts("insert into a (x) values (1) on conflict (x) do update set y = excluded.x, z = 2")
    assert upsert.updated("a") == {"y", "z"}
    merge = sqltext.statement_facts(
        "merge into a using b on a.id = b.id when matched and b.gone then delete when matched then update set k = b.k"
    )
    assert (merge.updated("a"), merge.deletes_from("a")) == ({"k"}, True)
    kept = sqltext.statement_facts("merge into a using b on true when not matched then insert (id) values (b.id)")
    assert (kept.updates, kept.deletes) == ((), ())


def test_locks_and_lists() -> None:
    facts = sqltext.statement_facts(
        "select distinct 1 from a, b x where a.id in (1, 2, 3) for no key update of x nowait"
    )
    assert facts.locks == (sqltext.RowLock(strength="no key update", of=("x",), waits=False),)
    assert (facts.is_distinct, facts.longest_list) == (True, 3)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("x not in (select y from b)", True),
        ("not (x in (select y from b))", True),
        ("x <> all (select y from b)", True),
        ("x in (select y from b)", False),
        ("not exists (select y from b)", False),
        ("x not in (1, 2)", False),
    ],
)
def test_not_in_is_seen(where: str, found: bool) -> None:
    assert sqltext.statement_facts(f"select * from a where {where}").has_not_in is found


def test_what_cannot_be_parsed_raises_with_the_place() -> None:
    with pytest.raises(StatementError) as caught:
        sqltext.statement_facts("select 'é', from t")
    assert caught.value.position == len("select 'é', ") + 1
