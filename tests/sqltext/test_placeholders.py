"""Every driver's placeholders become `$n`; what could be read two ways is reported."""

# ruff: noqa: E501 - in a table, an example is a line

import pytest

from premortem import sqltext
from premortem.model import Query, Unreadable


def read(sql: str) -> Query | Unreadable:
    (found,) = sqltext.split(sql, "q.sql")
    return found


def rewritten(sql: str) -> str:
    found = read(sql)
    assert isinstance(found, Query), found
    return found.text


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        # PostgreSQL's own
        ("select $1, $2, $1", "select $1, $2, $1"),
        # %s (psycopg, pg8000 …)
        ("select * from t where a=%s", "select * from t where a=$1"),
        ("select %s::int, (%s), a||%s||b, -%s", "select $1::int, ($2), a||$3||b, -$4"),
        ("select * from t where a>=%s and b<>%b and c=%t", "select * from t where a>=$1 and b<>$2 and c=$3"),
        ("select * from t where a like '%%x%%' and b = %s", "select * from t where a like '%x%' and b = $1"),
        ("select a %% 2, a %%2, a%%%s", "select a % 2, a %2, a%$1"),
        ("select * from t where a = ANY(%s)", "select * from t where a = ANY($1)"),
        ("select * from t where a in %s", "select * from t where a = ANY ($1)"),
        ("select * from t where a NOT IN %s and b in (%s, %s)", "select * from t where a <> ALL ($1) and b in ($2, $3)"),
        ("select * from t where lower(a) in %s", "select * from t where lower(a) = ANY ($1)"),
        ("select * from t limit %s offset %s", "select * from t limit $1 offset $2"),
        # %(name)s
        ("select %(a)s, %(b.c)s, %(a)s::text", "select $1, $2, $1::text"),
        ("select * from t where a=%(x y)s", "select * from t where a=$1"),
        ("select * from t where a between %(lo)s and %(hi)s", "select * from t where a between $1 and $2"),
        # :name
        ("select :a, b::int, :a::date, :b_1", "select $1, b::int, $1::date, $2"),
        ("select * from t where a=:user and b>:limit", "select * from t where a=$1 and b>$2"),
        ("select a[1:2], a[:lo], a[i:j], a[1:n], :x", "select a[1:2], a[$1], a[i:j], a[1:n], $2"),
        ("select a[:lo : :hi]", "select a[$1 : $2]"),
        ("select f(a := 1, b => :x)", "select f(a := 1, b => $1)"),
        ("select json_object('a':1, 'b': :x)", "select json_object('a':1, 'b': $1)"),
        ("select * from t where a in (:...ids)", "select * from t where a = ANY ($1)"),
        ("select * from t where a not in (:...ids)", "select * from t where a <> ALL ($1)"),
        ("select * from t where a in :ids", "select * from t where a = ANY ($1)"),
        ("select * from t where a in (:v*:ids) and b = :v:x", "select * from t where a = ANY ($1) and b = $2"),
        ("select * from t where a = :x! and b = :y? and (c = :z?)", "select * from t where a = $1 and b = $2 and (c = $3)"),
        ("select * from t where a = :user.id", "select * from t where a = $1"),
        ("select * from t where a = :1 and b = :2 and c = :1", "select * from t where a = $1 and b = $2 and c = $1"),
        ("select ':x', $$ :y $$, \":z\" /* :c */ from t where a = :a -- :d", "select ':x', $$ :y $$, \":z\" /* :c */ from t where a = $1"),
        # ?
        ("select * from t where a = ? and b=? or c>=?", "select * from t where a = $1 and b=$2 or c>=$3"),
        ("select ?::int, -?, ?+1, (?), ?||a||?", "select $1::int, -$2, $3+1, ($4), $5||a||$6"),
        ("select * from t where doc ? 'k' and a = ?", "select * from t where doc ? 'k' and a = $1"),
        ("select * from t where doc ?| ? and doc ?& array[?]", "select * from t where doc ?| $1 and doc ?& array[$2]"),
        ("select * from t where doc ? ?", "select * from t where doc ? $1"),
        ("select * from t where doc ?? ? and doc ??| ? and d @?? ?", "select * from t where doc ? $1 and doc ?| $2 and d @? $3"),
        ("select * from t where doc->>'k' = ? and d->>?='x'", "select * from t where doc->>'k' = $1 and d->>$2='x'"),
        ("select * from t where a in (?, ?) limit ? offset ?", "select * from t where a in ($1, $2) limit $3 offset $4"),
        ("select * from t where a between ? and ? and b like ?", "select * from t where a between $1 and $2 and b like $3"),
        ("select * from t where a @? '$.x' and b @> ?", "select * from t where a @? '$.x' and b @> $1"),
        ("select * from t where a = ?2 and b = ?1", "select * from t where a = $2 and b = $1"),
        ("select case when ? then ? else ? end", "select case when $1 then $2 else $3 end"),
        ("insert into t values (?, ?), (?, default)", "insert into t values ($1, $2), ($3, default)"),
        ("fetch_x: select 1", None),
        ("select * from t fetch first ? rows only", "select * from t fetch first $1 rows only"),
        ("select * from t where a > now() - interval ?", "select * from t where a > now() - $1::interval"),
        ("select * from t where a in (/*SLICE:ids*/?)", "select * from t where a = ANY (/*SLICE:ids*/$1)"),
        # @name
        ("select * from t where a=@x and b >= @y::int and c && @x", "select * from t where a=$1 and b >= $2::int and c && $1"),
        ("select * from t where a @> @x and b <@ array[1] and f @@ q", "select * from t where a @> $1 and b <@ array[1] and f @@ q"),
        ("select * from t where a@>@x", "select * from t where a@>$1"),
        ("select @-5, @ a from t", "select @-5, @ a from t"),
        # sqlc
        ("select sqlc.arg(x)::int, sqlc.narg('y'), @x", "select $1::int, $2, $1"),
        ("select * from t where a in (sqlc.slice('ids'))", "select * from t where a = ANY ($1)"),
        ("select * from t where a = any(sqlc.slice(ids))", "select * from t where a = any($1)"),
        ("select sqlc.embed(t), pggen.arg('x') from t", "select t.*, $1 from t"),
        # no placeholders at all
        ("select a % 2, a @> b, c ? 'x', x::int from t where p % q", "select a % 2, a @> b, c ? 'x', x::int from t where p % q"),
        ("select format('%s %I', a, b)", "select format('%s %I', a, b)"),
        ("select 'é', :x", "select 'é', $1"),
    ],
)  # fmt: skip
def test_placeholders_become_numbers(written: str, sent: str | None) -> None:
    found = read(written)
    assert (found.text if isinstance(found, Query) else None) == sent


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("select :b, :a, :b", ("b", "a")),
        ("select %(b)s, %(a)s", ("b", "a")),
        ("select @b, sqlc.arg(a)", ("b", "a")),
        ("select ?, ?", (None, None)),
        ("select $3", (None, None, None)),
        ("select 1", ()),
    ],
)
def test_parameters_keep_their_names(written: str, names: tuple[str | None, ...]) -> None:
    found = read(written)
    assert isinstance(found, Query)
    assert found.parameter_names == names
    assert found.parameter_count == len(names)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("select $1, ?", "mixes the placeholder styles `$1` and `?`"),
        ("select :a, %s", "mixes the placeholder styles `:name` and `%s`"),
        ("select %s, %(a)s", "mixes the placeholder styles `%s` and `%(name)s`"),
        ("select @a, $1", "mixes the placeholder styles `@name` and `$1`"),
        ("select :'v'", "`:'v'` is a psql variable"),
        ('select * from :"tbl"', '`:"tbl"` is a psql variable'),
        ("select * from {{ ref('x') }}", "`{{ ref('x') }}` is template text"),
        ("select 1 {% if a %} where b {% endif %}", "`{% if a %}` is template text"),
        ("select '{{ var }}'", "`{{ var }}` is template text"),
        ("select * from ${table}", "`${table}` is template text"),
        ("select * from t where a = #{a}", "`#{a}` is template text"),
        ("select * from {table}", "`{table}` is template text"),
        ("select * from t where a = $name", "`$name` is neither SQL nor a placeholder"),
        ("select * from t where (a, b) in %s", "a list of rows"),
        ("select '%s', %s", "stands between quotes"),
        ("select * from t where price <@max and a = @x", "not clear"),
        ("select * from t where :i:col = 1", "SQL text that is put in"),
        ("select 1 \\gset", "`\\gset` is a psql command"),
        ("select 1\n\\echo x\n+ 1", "`\\echo` is a psql command"),
        ("insert into t (a) values %s", "syntax error"),
        ("select $0", "there is no parameter $0"),
        ("select $99999999999", "there is no parameter"),
        ("select 'a", "a string starts here and never ends"),
        ("select /* a", "a comment starts here and never ends"),
        ("select 'a\0b'", "NUL"),
        ("selec 1", 'syntax error at or near "selec"'),
    ],
)
def test_what_is_not_known_is_not_guessed(written: str, says: str) -> None:
    found = read(written)
    assert isinstance(found, Unreadable), found
    assert says in found.says


def test_an_array_constant_with_braces_is_no_template() -> None:
    assert rewritten("select '{{1,2},{3,4}}'::int[]") == "select '{{1,2},{3,4}}'::int[]"


def test_a_psql_variable_that_the_file_sets_is_no_placeholder() -> None:
    found = sqltext.split("\\set lim 10\nselect * from t limit :lim;\nselect * from t limit :n;", "f.sql")
    assert [type(f) for f in found] == [Unreadable, Unreadable, Query]
    assert ":lim" in getattr(found[1], "says", "")


@pytest.mark.parametrize(
    ("normalised", "planned"),
    [
        ("select interval $1", "select $1::interval"),
        ("select a from t where b > now() - interval $1 day", "select a from t where b > now() - $1::interval day"),
        ("select date $1, timestamp with time zone $2", "select $1::date, $2::timestamp with time zone"),
        ("select timestamp(3) without time zone $1", "select $1::timestamp(3) without time zone"),
        ("select double precision $1, numeric(3,1) $2", "select $1::double precision, $2::numeric(3,1)"),
        ("select public.mood $1, \"My t\" $2", "select $1::public.mood, $2::\"My t\""),
        ("select extract($1 from a) from t", "select pg_catalog.extract($1, a) from t"),
        ("select * from t where a in ($1 /*, ... */)", "select * from t where a in ($1 /*, ... */)"),
        ("select a at time zone $1 from t limit $2", "select a at time zone $1 from t limit $2"),
        ("select $1::int from t where a between $2 and $3", "select $1::int from t where a between $2 and $3"),
    ],
)  # fmt: skip
def test_texts_of_pg_stat_statements_can_be_prepared(normalised: str, planned: str) -> None:
    assert rewritten(normalised) == planned
