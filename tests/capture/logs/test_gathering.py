"""One query for all that only differ in values, with what was seen of it, and a reason for whatever is left out."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import sqltext
from premortem.capture import Capture, logs
from premortem.capture.executed import Executed
from premortem.capture.logs import leaving
from premortem.capture.units import Unit
from premortem.cli.commands.capture import summary
from premortem.model import CAPTURED, Query, Site
from tests.parameters.test_choose import profile


class Tests:
    """Units as a plugin tells them: the application name says which test, and which phase of it."""

    def of(self, executed: Executed) -> Unit:
        name, _, phase = (executed.application or "t").partition("/")
        return Unit(within="test", name=name, phase=phase or "call", site=Site(source="tests/t.py", line=7, name=name))


def ran(*texts: str, **facts: object) -> list[Executed]:
    return [Executed(text=t, session="1", line=n, **facts) for n, t in enumerate(texts, 1)]  # type: ignore[arg-type]


def queries(executed: Iterable[Executed]) -> list[Query]:
    return [q for q in logs.gather(executed, Tests()).queries if isinstance(q, Query)]


def one(executed: Iterable[Executed]) -> Query:
    (found,) = queries(executed)
    return found


def left_out(*texts: str, **facts: object) -> dict[str, int]:
    found = logs.gather(ran(*texts, **facts), Tests())
    assert found.queries == ()
    return dict(found.left_out)


# --- literals ---


def test_literals_are_one_query_however_many() -> None:
    texts = (f"SELECT * FROM t WHERE id = {n} AND email = 'u{n}@x.org' -- {n}" for n in range(5_000))
    found = one(ran(*texts))
    assert found.text == "SELECT * FROM t WHERE id = $1 AND email = $2"
    assert (found.executions, found.parameter_count, len(found.samples)) == (5_000, 2, 20)
    assert all(email == f"u{number}@x.org" for number, email in found.samples)


@pytest.mark.parametrize(
    ("texts", "text", "samples"),
    [
        (["SELECT * FROM t WHERE a = -5", "SELECT * FROM t WHERE a = 5"], "SELECT * FROM t WHERE a = $1", {("-5",), ("5",)}),
        (["select * from t where a in (1, 2)", "select * from t where a in (3)"], "select * from t where a = ANY ($1)", {("{1,2}",), ("{3}",)}),
        (["delete from t where not a in (1,2)"], "delete from t where not a = ANY ($1)", {("{1,2}",)}),
        (["select * from t where a not in ('x', 'it''s')"], "select * from t where a <> ALL ($1)", {("{x,it's}",)}),
        (["insert into t (a, b) values (1, 'x'), (2, 'y')", "insert into t (a, b) values (3, 'z')"], "insert into t (a, b) values ($1, $2)", {("1", "x"), ("3", "z")}),
        (["select * from t where u in ('a'::uuid, 'b'::uuid)"], "select * from t where u = ANY ($1::uuid[])", {("{a,b}",)}),
        (["select * from t where a = any(array[1, 2]) limit 5", "select * from t where a = any(array[4]) limit 6"], "select * from t where a = any($1) limit $2", {("{1,2}", "5"), ("{4}", "6")}),
        (["select * from t where (a) in ((1), (2))", "select * from t where (a) in ((3))"], "select * from t where (a) = ANY ($1)", {("{1,2}",), ("{3}",)}),
        (["insert into t (a, b) select * from unnest(('{1,2}'::int2[])::bigint[], '{x,y}'::text[])"], "insert into t (a, b) select * from unnest(($1::int2[])::bigint[], $2::text[])", {("{1,2}", "{x,y}")}),
        (["select * from t where (a, b) > (1, 'x')"], "select * from t where (a, b) > ($1, $2)", {("1", "x")}),
        (["update t set a = 'x', b = NULL, ok = true where id = 5"], "update t set a = $1, b = NULL, ok = true where id = $2", {("x", "5")}),
        (["select * from t where at > now() - interval '1 day' and a = 1"], "select * from t where at > now() - interval '1 day' and a = $1", {("1",)}),
        (["select * from t where at > '2024-01-01'::timestamptz"], "select * from t where at > $1::timestamptz", {("2024-01-01",)}),
        (["select * from t where b = E'a\\'b' or b = $$it's$$"], "select * from t where b = $1 or b = $2", {("a'b", "it's")}),
    ],
)  # fmt: skip
def test_values_become_parameters(texts: list[str], text: str, samples: set[tuple[str, ...]]) -> None:
    found = one(ran(*texts))
    assert found.text == text
    assert set(found.samples) == samples


def test_what_never_varies_and_reads_like_code_stays() -> None:
    text = "SELECT * FROM t WHERE status = 'active' AND owner = 7 AND ok = true LIMIT 21"
    twice = ran(*[text] * 2)
    assert one(twice).text == "SELECT * FROM t WHERE status = $1 AND owner = $2 AND ok = true LIMIT 21"
    often = [e for name in ("one", "two") for e in ran(*[text] * 2, application=name)]
    assert one(often).text == "SELECT * FROM t WHERE status = 'active' AND owner = $1 AND ok = true LIMIT 21"
    varied = [*often, *ran(text.replace("active", "closed").replace("true", "false"))]
    assert one(varied).text == "SELECT * FROM t WHERE status = $1 AND owner = $2 AND ok = $3 LIMIT 21"


def test_constants_that_are_the_statement_make_another_one() -> None:
    found = queries(ran("select data->>'a' from t where id = 1", "select data->>'b' from t where id = 2"))
    assert [q.text for q in found] == [
        "select data->>'a' from t where id = $1",
        "select data->>'b' from t where id = $1",
    ]
    assert found[0].fingerprint == found[1].fingerprint


def test_more_variants_than_anybody_wrote_are_one_query() -> None:
    found = one(ran(*(f"select data->>'k{n}' from t where id = 1" for n in range(500))))
    assert found.executions == 500


def test_placeholders_keep_their_numbers_and_have_their_values() -> None:
    text = "select * from t where b = $2 and a = $1 and c = 7"
    found = one(ran(text, parameters=("1", None)))
    assert (found.text, found.samples) == ("select * from t where b = $2 and a = $1 and c = $3", (("1", None, "7"),))


def test_lists_of_placeholders_of_any_length_are_one() -> None:
    executed = [
        *ran("select * from t where a in ($1, $2) and b = $3", parameters=("1", "2", "x")),
        *ran("select * from t where a in ($1, $2, $3) and b = $4", parameters=("1", "2", "3", "x")),
    ]
    found = one(executed)
    assert found.text == "select * from t where a = ANY ($1) and b = $2"
    assert set(found.samples) == {("{1,2}", "x"), ("{1,2,3}", "x")}


def test_the_longest_list_is_among_the_samples() -> None:
    lists = [", ".join(map(str, range(n))) for n in (*[2] * 50, 700, *range(2, 40))]
    found = one(ran(*(f"select * from t where a in ({x})" for x in lists)))
    assert max((s[0] or "").count(",") for s in found.samples) == 699
    assert len(found.samples) == 20


def test_samples_do_not_depend_on_the_order_of_tests() -> None:
    texts = [f"select * from t where a = {n % 300}" for n in range(900)]
    assert one(ran(*texts)).text == one(ran(*reversed(texts))).text
    assert set(one(ran(*texts[:100])).samples) == set(one(ran(*reversed(texts[:100]))).samples)


# --- what a statement is wrapped in ---


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE c CURSOR WITH HOLD FOR select * from t where a = 5",
        "COPY (select * from t where a = 5) TO STDOUT",
        "EXPLAIN (ANALYZE) select * from t where a = 5",
        "prepare p(int) as select * from t where a = $1; execute p(5)",
        "BEGIN; select * from t where a = 5; COMMIT",
        "CREATE TABLE x AS select * from t where a = 5",
    ],
)
def test_the_query_inside_is_taken(text: str) -> None:
    found = one(ran(text))
    assert (found.text, found.samples) == ("select * from t where a = $1", (("5",),))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["BEGIN", "SET x = 1", "CREATE TABLE x (a int)", "SAVEPOINT s1", "FETCH 5 FROM c", "VACUUM t"], leaving.UTILITY),
        (["TRUNCATE a, b RESTART IDENTITY CASCADE"], leaving.FIXTURES),
        (["SELECT version()", "SELECT 1", "select set_config('a', 'b', false)"], leaving.TABLELESS),
        (["SELECT * FROM pg_catalog.pg_class c JOIN pg_namespace n ON true", "select * from information_schema.tables"], leaving.CATALOG),
        (['SELECT "app" FROM "django_migrations"', "INSERT INTO alembic_version VALUES ('x')", 'select * from public."_prisma_migrations"', 'select * from "knex_migrations_lock"'], leaving.BOOKKEEPING),
        (['SELECT 1 FROM ONLY "public"."p" x WHERE "id" OPERATOR(pg_catalog.=) $1 FOR KEY SHARE OF x'], leaving.CHECKS),
    ],
)  # fmt: skip
def test_what_is_no_query_of_the_application_is_counted(texts: list[str], reason: str) -> None:
    assert left_out(*texts) == {reason: len(texts)}


def test_failed_and_own_statements_are_counted() -> None:
    assert left_out("select * from t where a = 1", failed=True) == {leaving.FAILED: 1}
    assert left_out("select * from t where a = 1", application="premortem/capture") == {leaving.OWN: 1}


def test_a_text_that_cannot_be_read_is_reported_as_such() -> None:
    (found,) = logs.gather(ran("select * from t where a = (")).queries
    assert not isinstance(found, Query)
    assert found.says.startswith("syntax error")


def test_a_query_that_joins_the_catalogue_with_its_own_table_is_the_application_s() -> None:
    assert one(ran("select * from t join pg_class c on c.relname = t.a where t.b = 1"))


# --- who ran it, and from where ---


def test_tags_name_the_call_site() -> None:
    text = "SELECT * FROM t WHERE a = 1 /*controller='carts',line='%2Fapp%2Fcart.rb%3A17',traceparent='00-a-b-01'*/"
    found = one(ran(text, role="app", database="shop"))
    assert (found.site, found.role, found.database) == (Site(source="/app/cart.rb", line=17), "app", "shop")
    assert dict(found.tags) == {"controller": "carts", "line": "/app/cart.rb:17", "test": "t"}
    assert "/*" not in found.text


def test_without_a_comment_the_test_is_the_site() -> None:
    assert one(ran("select * from t where a = 1")).site == Site(source="tests/t.py", line=7, name="t")


def test_a_function_s_statement_names_the_function() -> None:
    found = one(ran("select count(*) from t where a < 5", nested=True, function="f(integer), line 3"))
    assert found.site.name == "f(integer), line 3"


def test_allow_comments_are_kept() -> None:
    (allow,) = one(ran("select * from t -- premortem: allow unbounded-result (a report)\n where a = 1")).allows
    assert (allow.rule, allow.reason) == ("unbounded-result", "a report")


def test_the_search_path_of_a_session_is_known_if_it_set_one() -> None:
    query = "select * from t where a = 1"
    assert one(ran(query)).search_path is None
    assert one(ran('SET search_path TO tenant_1, "Public"', query)).search_path == ("tenant_1", "Public")
    assert one(ran("select set_config('search_path', 'x', false)", query)).search_path == ("x",)
    assert one(ran("BEGIN", "SET LOCAL search_path = x", "COMMIT", query)).search_path is None
    assert one(ran("SET search_path = x", "RESET search_path", query)).search_path is None


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("/*-'\"$\\ =,:;%\n\x00\x01\x02\u202eabкexISnu19(){}"), max_size=60))
def test_hostile_texts_do_no_harm(text: str) -> None:
    found = logs.gather([*ran(text), *ran(f"select * from t where a = 1 /*{text}*/"), *ran(f"select 1 -- {text}")])
    for query in found.queries:
        assert not isinstance(query, Query) or all("\u202e" not in v and len(v) <= 512 for _, v in query.tags)


@given(st.text(max_size=40))
def test_a_string_comes_back_as_it_was(value: str) -> None:
    constant = "'" + value.replace("'", "''") + "'"
    assert sqltext.value(constant) == value
    places = sqltext.reduced(f"select * from t where a = {constant} and b = 1").places
    assert [v.text for p in places for v in p.values] == [constant, "1"]


# --- N+1 ---


AT = "/*file='shop/views.py',line='31'*/"


def loop(count: int, **facts: object) -> list[Executed]:
    return ran("select * from o", *(f"select name from c where id = {n}" for n in range(count)), **facts)


def repeats(executed: Iterable[Executed]) -> int:
    return max((q.repeats.count for q in queries(executed) if q.repeats), default=0)


def test_a_loop_of_reads_is_counted_within_its_test() -> None:
    found = next(q for q in queries(loop(24)) if "name" in q.text)
    assert found.repeats is not None
    assert (found.repeats.count, found.repeats.within, found.repeats.unit) == (24, "test", "t")
    assert found.repeats.values == 24


@pytest.mark.parametrize(
    "executed",
    [
        loop(24, application="t/setup"),
        [e for n in range(24) for e in ran(f"select name from c where id = {n}", f"insert into c values ({n})")],
        [e for n in range(24) for e in ran("BEGIN", f"select name from c where id = {n}", "COMMIT")],
        ran(*["select name from c where id = 1"] * 24),
        [
            e
            for n in range(24)
            for e in ran(
                f"select name from c where id = 1 {AT}", *(f"select * from o where t{i} = 1" for i in range(3))
            )
        ],
        [e for n in range(24) for e in ran(f"select name from c where id = {n} /*traceparent='00-{n:032x}-1-01'*/")],
        [e for n in range(24) for e in ran(f"select name from c where id = {n}", application=f"test {n}")],
    ],
    ids=["set-up", "get or create", "transactions", "the same row", "users of requests", "requests", "tests"],
)
def test_what_is_no_loop_of_reads_is_not_accused(executed: list[Executed]) -> None:
    assert repeats(executed) <= 1


@pytest.mark.parametrize(
    ("executed", "count", "values"),
    [
        (ran(*(f"select name from c where id = {n % 3}" for n in range(36))), 36, 3),
        ([e for n in range(36) for e in ran(f"select name from c where id = {n % 3}", "select a from x")], 36, 3),
        (ran(*[f"select name from c where id = 1 {AT}"] * 36), 36, 1),
    ],
    ids=["few values", "two of each row", "one value from one call site"],
)
def test_a_loop_over_few_fixtures_is_counted_by_its_runs(executed: list[Executed], count: int, values: int) -> None:
    found = next(q for q in queries(executed) if "name" in q.text)
    assert found.repeats is not None
    assert (found.repeats.count, found.repeats.values) == (count, values)


def test_requests_of_few_users_are_not_one_loop() -> None:
    """Three users come again and again; between two of them their pages are read."""
    others = [f"select * from o where t{i} = 1" for i in range(3)]
    executed = [e for n in range(36) for e in ran(f"select name from c where id = {n % 3}", *others)]
    found = next(q for q in queries(executed) if "name" in q.text)
    assert found.repeats is not None
    assert found.repeats.count == 3


def test_without_tests_a_transaction_is_the_unit_and_a_session_is_none() -> None:
    inside = [Executed(text=e.text, session="1", transaction="3/7") for e in loop(12)]
    counts = [q.repeats for q in logs.gather(inside).queries if isinstance(q, Query) and q.repeats]
    assert [(r.count, r.within) for r in counts] == [(12, "transaction")]
    assert all(q.repeats is None for q in logs.gather(loop(12)).queries if isinstance(q, Query))


def test_call_sites_are_counted_apart() -> None:
    texts = (f"select name from c where id = {n} /*file='a{n % 2}.py',line='3'*/" for n in range(20))
    (found,) = queries(ran(*texts))
    assert found.repeats is not None
    assert (found.repeats.count, found.repeats.site) == (10, Site(source="a0.py", line=3))


def test_a_function_s_variables_become_parameters_once_the_schema_is_known() -> None:
    text = "select count(*) from t where t.c < n and c = 5"
    query = one(ran(text, nested=True, function="f(integer), line 3"))
    of = profile("integer", None)
    assert logs.resolved(query, of).text == "select count(*) from t where t.c < $2 and c = $1"
    assert logs.resolved(query, of).parameter_count == 2
    outside = one(ran(text))
    assert logs.resolved(outside, of) is outside


def test_a_placeholder_that_cannot_be_is_refused() -> None:
    (found,) = logs.gather(ran("select * from t where a = $99999999")).queries
    assert not isinstance(found, Query)
    assert "65,535" in found.says


def test_what_a_suite_ran_is_placed_by_the_execution_s_number() -> None:
    executed = [replace(e, line=100 + n) for n, e in enumerate(ran("select a from t", "select b from t"))]
    sites = {q.site for q in logs.gather(executed, source=CAPTURED).queries}
    assert sites == {Site(source=CAPTURED, line=1), Site(source=CAPTURED, line=2)}
    assert {q.site.line for q in logs.gather(executed, source="pg.log").queries} == {100, 101}


def test_a_suite_that_took_too_long_did_not_fail() -> None:
    taken = Capture(taken_at=datetime(2026, 1, 2, tzinfo=UTC), command=("t",), exit_status=124, timed_out=True)
    said = summary(taken, Path("c"))
    assert "was ended by --timeout" in said
    assert "failed" not in said
