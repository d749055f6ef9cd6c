"""What EXPLAIN prints of conditions, read into values."""

# ruff: noqa: E501 - in a table, an example is a line

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import sqltext
from premortem.sqltext import (
    And,
    ColumnName,
    Comparison,
    ComparisonKind,
    Condition,
    Not,
    Opaque,
    Operand,
    OperandKind,
    Or,
    PatternKind,
)

K, OP = ComparisonKind, OperandKind


def shown(condition: Condition) -> object:
    """A condition in short: what a table of examples can hold."""
    match condition:
        case And(parts=parts):
            return ("and", *map(shown, parts))
        case Or(parts=parts):
            return ("or", *map(shown, parts))
        case Not(part=part):
            return ("not", shown(part))
        case Opaque(subplans=subplans):
            return ("opaque", *subplans)
        case Comparison(left=left, operator=operator, right=right):
            sides = (brief(left), operator) if right is None else (brief(left), operator, brief(right))
            return ("not", *sides) if condition.negated else sides


def brief(side: Operand) -> str:
    if side.kind is OP.COLUMN and side.column:
        return ".".join(word for word in side.column if word)
    if side.kind is OP.CAST and side.column:
        return f"{side.column.column} as {' as '.join(side.casts)}"
    if side.kind is OP.CONSTANT:
        return "NULL" if side.is_null else f"'{side.constant}'"
    if side.kind is OP.PARAMETER:
        return f"${side.parameter}"
    if side.kind is OP.ROW:
        return f"row({', '.join(brief(e) for e in side.elements)})"
    return f"<{side.expression}>" if side.kind is OP.EXPRESSION else f"[{side.expression}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # columns and constants
        ("(o.id = 5)", ("o.id", "=", "'5'")),
        ("(o.id = '-5'::integer)", ("o.id", "=", "'-5'")),
        ("(o.id = $1)", ("o.id", "=", "$1")),
        ("(o.id = ($1)::bigint)", ("o.id", "=", "$1")),
        ("(id = 5)", ("id", "=", "'5'")),
        ('("O x"."Col é" = 5)', ("O x.Col é", "=", "'5'")),
        ("((o.sku)::text = 'it''s'::text)", ("sku as text", "=", "'it's'")),
        ("((o.sku)::text = 'x;--'::text)", ("sku as text", "=", "'x;--'")),
        ("((o.c)::bpchar = 'x'::bpchar)", ("c as character", "=", "'x'")),
        ("((o.d)::date = '2024-01-01'::date)", ("d as date", "=", "'2024-01-01'")),
        ("(((o.a)::text)::integer = 5)", ("a as text as integer", "=", "'5'")),
        ("(o.a = NULL::integer)", ("o.a", "=", "NULL")),
        ("(o.mood = 'sad'::public.mood)", ("o.mood", "=", "'sad'")),
        ("(o.a = 1.5)", ("o.a", "=", "'1.5'")),
        ("(o.flag = true)", ("o.flag", "=", "'true'")),
        # orientation
        ("($1 = o.id)", ("o.id", "=", "$1")),
        ("(5 < o.id)", ("o.id", ">", "'5'")),
        ("('{a}'::text[] <@ o.tags)", ("o.tags", "@>", "'{a}'")),
        ("(o.id = i.order_id)", ("o.id", "=", "i.order_id")),
        ("('x'::text ~~ o.pattern)", ("'x'", "~~", "o.pattern")),
        # ranges
        ("((t.a >= 1) AND (t.a < 5))", ("and", ("t.a", ">=", "'1'"), ("t.a", "<", "'5'"))),
        ("(t.at >= (now() - '1 day'::interval))", ("t.at", ">=", "[now() - '1 day'::interval]")),
        ("(t.at >= (now() - $1))", ("t.at", ">=", "[now() - $1]")),
        ("(t.at < CURRENT_DATE)", ("t.at", "<", "[current_date]")),
        ("(t.n ~>=~ 'abc'::text)", ("t.n", "~>=~", "'abc'")),
        # lists
        ("(o.s = ANY ('{a,b}'::text[]))", ("o.s", "=", "'{a,b}'")),
        ("((o.s)::text = ANY ((ARRAY['a'::character varying, $1])::text[]))", ("s as text", "=", "[ARRAY['a'::varchar, $1]::text[]]")),
        ("(o.s = ANY ($1))", ("o.s", "=", "$1")),
        ("(o.s <> ALL ('{1,2}'::integer[]))", ("o.s", "<>", "'{1,2}'")),
        ("('x'::text = ANY (o.tags))", ("o.tags", "=", "'x'")),
        ("(o.n ~~ ANY ('{%a%,b%}'::text[]))", ("o.n", "~~", "'{%a%,b%}'")),
        ("(o.a IN (1, 2))", ("o.a", "=", "[(1, 2)]")),
        ("(o.a NOT IN (1, $2))", ("o.a", "<>", "[(1, $2)]")),
        ("(o.a BETWEEN 1 AND 2)", ("and", ("o.a", ">=", "'1'"), ("o.a", "<=", "'2'"))),
        # patterns
        ("(o.n ~~ 'foo%'::text)", ("o.n", "~~", "'foo%'")),
        ("((o.n)::text !~~* '%foo'::text)", ("not", "n as text", "~~*", "'%foo'")),
        ("(o.n ~ '^a.c'::text)", ("o.n", "~", "'^a.c'")),
        ("(o.n ~~ (('%'::text || $1) || '%'::text))", ("o.n", "~~", "[('%'::text || $1) || '%'::text]")),
        # null, booleans
        ("(o.a IS NULL)", ("o.a", "is null")),
        ("(o.a IS NOT NULL)", ("o.a", "is not null")),
        ("o.flag", ("o.flag", "is true")),
        ("(NOT o.flag)", ("not", "o.flag", "not")),
        ("(o.flag IS NOT TRUE)", ("o.flag", "is not true")),
        ("(o.flag IS UNKNOWN)", ("o.flag", "is unknown")),
        ("(NOT (o.a = 1))", ("not", "o.a", "=", "'1'")),
        ("(NOT (o.a IS NULL))", ("o.a", "is not null")),
        ("(NOT (NOT (o.a = 1)))", ("o.a", "=", "'1'")),
        ("(o.a IS DISTINCT FROM $1)", ("o.a", "is distinct from", "$1")),
        ("(o.a IS NOT DISTINCT FROM $1)", ("not", "o.a", "is distinct from", "$1")),
        # other operators
        ("(o.tags && '{x}'::text[])", ("o.tags", "&&", "'{x}'")),
        ("(o.doc @> '{\"a\": 1}'::jsonb)", ("o.doc", "@>", "'{\"a\": 1}'")),
        ("(o.doc ? 'k'::text)", ("o.doc", "?", "'k'")),
        ("(o.doc @? '$.\"a\"'::jsonpath)", ("o.doc", "@?", "'$.\"a\"'")),
        ("(o.v @@ to_tsquery('x'::text))", ("o.v", "@@", "[to_tsquery('x'::text)]")),
        ("(o.n % 'x'::text)", ("o.n", "%", "'x'")),
        ("(o.n OPERATOR(public.%>) 'x'::text)", ("o.n", "%>", "'x'")),
        ("(o.r && '[1,5)'::int4range)", ("o.r", "&&", "'[1,5)'")),
        # expressions
        ("(lower((u.email)::text) = lower($1))", ("<lower(email::text)>", "=", "[lower($1)]")),
        ("((o.doc ->> 'k'::text) = 'v'::text)", ("<doc ->> 'k'::text>", "=", "'v'")),
        ("((o.doc)['k'::text] = 'v'::jsonb)", ("<doc['k'::text]>", "=", "'v'")),
        ("((o.a % 10) = 5)", ("<a % 10>", "=", "'5'")),
        ("(date_trunc('day'::text, o.at) = $1)", ("<date_trunc('day'::text, at)>", "=", "$1")),
        ("(COALESCE(o.a, 0) > 5)", ("<COALESCE(a, 0)>", ">", "'5'")),
        ("((o.a + i.b) > 5)", ("<a + b>", ">", "'5'")),
        ("CASE WHEN o.a THEN o.b ELSE false END", ("<CASE WHEN a THEN b ELSE false END>", "is true")),
        ("starts_with(o.n, 'x'::text)", ("<starts_with(n, 'x'::text)>", "is true")),
        ("(((o.a)::text || o.b) = 'x'::text)", ("<a::text || b>", "=", "'x'")),
        ("(o.n COLLATE \"C\" >= 'x'::text)", ("o.n", ">=", "'x'")),
        ("((o.c).f = 1)", ("<(c).f>", "=", "'1'")),
        # rows
        ("(ROW(t.a, t.b) < ROW($1, $2))", ("row(t.a, t.b)", "<", "row($1, $2)")),
        ("(ROW($1, 5) > ROW(t.a, t.b))", ("row(t.a, t.b)", "<", "row($1, '5')")),
        # boolean logic
        ("((o.a = 1) OR (o.b = 2))", ("or", ("o.a", "=", "'1'"), ("o.b", "=", "'2'"))),
        (
            "((o.a = 1) AND ((o.b = 2) OR (NOT ((o.c = 3) AND (o.d = 4)))))",
            ("and", ("o.a", "=", "'1'"), ("or", ("o.b", "=", "'2'"), ("not", ("and", ("o.c", "=", "'3'"), ("o.d", "=", "'4'"))))),
        ),
        ("(($1 IS NULL) OR (o.a = $1))", ("or", ("$1", "is null"), ("o.a", "=", "$1"))),
        # subplans
        ("(hashed SubPlan 1)", ("opaque", "hashed SubPlan 1")),
        ("(NOT (hashed SubPlan 1))", ("not", ("opaque", "hashed SubPlan 1"))),
        ("(SubPlan 1)", ("opaque", "SubPlan 1")),
        ("EXISTS(SubPlan 1)", ("opaque", "SubPlan 1")),
        ("(ANY (o.a = (hashed SubPlan 2).col1))", ("opaque", "hashed SubPlan 2")),
        ("(NOT (ANY ((o.a = (hashed SubPlan 2).col1) AND (o.b = (hashed SubPlan 2).col2))))", ("not", ("opaque", "hashed SubPlan 2"))),
        ("(ALL (o.a > (SubPlan 1).col1))", ("opaque", "SubPlan 1")),
        ("(o.a = (SubPlan 1))", ("opaque", "SubPlan 1")),
        ("(o.a = (InitPlan 1).col1)", ("o.a", "=", "[(InitPlan 1).col1]")),
        ("(o.a > $0)", ("o.a", ">", "[$0]")),
        ("(o.a = ANY ((InitPlan 1).col1))", ("o.a", "=", "[(InitPlan 1).col1]")),
        ("(alternatives: SubPlan 1 or hashed SubPlan 2)", ("opaque", "alternatives SubPlan 1 or hashed SubPlan 2")),
        ("((alternatives: SubPlan 1 or hashed SubPlan 2) AND (o.a = 1))", ("and", ("opaque", "alternatives SubPlan 1 or hashed SubPlan 2"), ("o.a", "=", "'1'"))),
        ("(SubPlan exists_1)", ("opaque", "SubPlan exists_1")),
        ("(PARTIAL sum(o.a) > 5)", ("<sum(a)>", ">", "'5'")),
        ("(count(*) > 5)", ("[count(*)]", ">", "'5'")),
        ("(sum(o.a) FILTER (WHERE (o.b = 1)) > 5)", ("<sum(a) FILTER (WHERE b = 1)>", ">", "'5'")),
        ("(row_number() OVER w1 <= 3)", ("[row_number() OVER w1]", "<=", "'3'")),
        # beyond us
        ("garbage ((", ("opaque",)),
        ("", ("opaque",)),
        ("a = 1; drop table x", ("opaque",)),
        ("true) or (false", ("opaque",)),
    ],
)  # fmt: skip
def test_conditions(text: str, expected: object) -> None:
    assert shown(sqltext.condition(text)) == expected


@pytest.mark.parametrize(
    ("text", "kind", "quantifier"),
    [
        ("a = 1", K.EQUALITY, None),
        ("a = ANY ('{1}')", K.ANY_EQUALITY, "any"),
        ("a <> ALL ('{1}')", K.NOT_EQUAL, "all"),
        ("a = ALL ('{1}')", K.EQUALITY, "all"),
        ("1 = ANY (t.a)", K.MEMBER, "any"),
        ("a <> 1", K.NOT_EQUAL, None),
        ("a >= 1", K.RANGE, None),
        ("a ~<~ 'x'", K.RANGE, None),
        ("a ~~ 'x'", K.LIKE, None),
        ("a ~~* ANY ('{x}')", K.LIKE, "any"),
        ("a !~ 'x'", K.REGEX, None),
        ("a IS NULL", K.IS_NULL, None),
        ("a IS NOT NULL", K.IS_NOT_NULL, None),
        ("a IS FALSE", K.BOOLEAN, None),
        ("a @> 'x'", K.OPERATOR, None),
        ("ROW(a, b) >= ROW(1, 2)", K.ROW, None),
        ("a IS DISTINCT FROM 1", K.DISTINCT, None),
        ("a IN (1, 2)", K.ANY_EQUALITY, "any"),
    ],
)
def test_kinds(text: str, kind: ComparisonKind, quantifier: str | None) -> None:
    found = sqltext.condition(text)
    assert isinstance(found, Comparison)
    assert (found.kind, found.quantifier) == (kind, quantifier)


@pytest.mark.parametrize(
    ("pattern", "kind", "prefix", "longest"),
    [
        ("n ~~ 'foo%'", PatternKind.PREFIX, "foo", "foo"),
        ("n ~~ '%foo'", PatternKind.SUFFIX, "", "foo"),
        ("n ~~ '%a%foo%'", PatternKind.INFIX, "", "foo"),
        ("n ~~ '_foo'", PatternKind.SUFFIX, "", "foo"),
        ("n ~~ 'foo'", PatternKind.EXACT, "foo", "foo"),
        ("n ~~ 'a\\%b%'", PatternKind.PREFIX, "a%b", "a%b"),
        ("n ~~ '%'", PatternKind.INFIX, "", ""),
        ("n ~~ ''", PatternKind.EXACT, "", ""),
        ("n ~~ $1", PatternKind.UNKNOWN, "", ""),
        ("n ~ '^foo'", PatternKind.PREFIX, "foo", "foo"),
        ("n ~ '^foo$'", PatternKind.EXACT, "foo", "foo"),
        ("n ~ '^(a|b)'", PatternKind.INFIX, "", "a"),
        ("n ~ 'foo'", PatternKind.INFIX, "", "foo"),
    ],
)
def test_patterns(pattern: str, kind: PatternKind, prefix: str, longest: str) -> None:
    found = sqltext.condition(pattern)
    assert isinstance(found, Comparison)
    assert found.pattern is not None
    assert (found.pattern.kind, found.pattern.prefix, found.pattern.longest) == (kind, prefix, longest)


def comparison(text: str) -> Comparison:
    found = sqltext.condition(text)
    assert isinstance(found, Comparison)
    return found


def test_about_puts_a_relation_on_the_left() -> None:
    join = comparison("(o.id < i.order_id)")
    assert join.is_join
    assert join.about("o") == join
    other = join.about("i")
    assert other is not None
    assert (other.left.column, other.operator, other.right and other.right.alias) == (("i", "order_id"), ">", "o")
    assert join.about("x") is None
    assert comparison("(o.a = (o.b + 1))").about("o") is None
    unqualified = comparison("(a = 1)")
    assert unqualified.about("anybody") == unqualified


def test_about_of_an_expression_over_two_relations_is_nobodys() -> None:
    both = comparison("((o.a + i.b) = 5)")
    assert [both.about("o"), both.about("i"), both.left.alias] == [None, None, None]


def test_outputs_of_initplans_are_no_parameters() -> None:
    found = sqltext.condition("(a = $1)", initplans={1})
    assert isinstance(found, Comparison)
    assert found.right
    assert (found.right.kind, found.right.parameters) == (OP.RUNTIME, ())


def test_operands_tell_what_is_in_them() -> None:
    left = comparison("(lower(substr(u.name, $1)) || u.b = 'x')").left
    assert left.columns == (ColumnName("u", "name"), ColumnName("u", "b"))
    assert left.functions == ("lower", "substr")
    assert left.operators == ("||",)
    assert left.parameters == (1,)


@pytest.mark.parametrize(
    ("column_type", "casts", "harmless"),
    [
        ("character varying(20)", ("text",), True),
        ("text", (), True),
        ("integer", ("text",), False),
        ("integer", ("bigint",), False),
        ("timestamp with time zone", ("date",), False),
        ("character(3)", ("text",), False),
        ("character(3)", ("character",), True),
        ("character varying(3)", ("character varying(3)",), True),
        ("character varying(3)", ("character varying(2)",), False),
        ("citext", ("text",), True),
        ("character varying", ("text", "integer"), False),
        ("public.email", ("text",), True),
        ("name", ("text",), False),
        ("text", ("character varying(3)",), False),
    ],
)
def test_casts_that_only_relabel(column_type: str, casts: tuple[str, ...], harmless: bool) -> None:
    assert sqltext.relabels(column_type, casts, {"public.email": "text"}) is harmless


@pytest.mark.parametrize(
    ("text", "alias", "column", "expression", "descending", "nulls_first"),
    [
        ("o.created_at DESC NULLS LAST", "o", "created_at", "created_at", True, False),
        ("o.created_at DESC", "o", "created_at", "created_at", True, True),
        ("o.id", "o", "id", "id", False, False),
        ("o.id NULLS FIRST", "o", "id", "id", False, True),
        ('"O x"."Col"', "O x", "Col", '"Col"', False, False),
        ("(lower((o.n)::text)) DESC", "o", None, "lower(n::text)", True, True),
        ('o.n COLLATE "C" DESC', "o", "n", "n", True, True),
        ("((o.n)::text)", "o", "n", "n::text", False, False),
        ("(count(*)) DESC", None, None, "count(*)", True, True),
        ("o.p USING >", "o", "p", "p", True, True),
        ("((", None, None, "((", False, False),
    ],
)
def test_sort_keys(
    text: str, alias: str | None, column: str | None, expression: str, descending: bool, nulls_first: bool
) -> None:
    key = sqltext.sort_key(text)
    assert (key.alias, key.column, key.expression) == (alias, column, expression)
    assert (key.descending, key.nulls_first) == (descending, nulls_first)


def test_canonical_text_is_the_same_for_two_spellings() -> None:
    assert sqltext.canonical("lower((email)::text)") == sqltext.canonical("(lower(u.email::text))")
    assert sqltext.canonical("not an ( expression") == "not an ( expression"


WORDS = [
    "(", ")", "a", "t.a", "=", "<", "AND", "OR", "NOT", "ANY", "ALL", "EXISTS", "IS NULL", "::text", "'x'", "$1", "$0", "ROW(", ",", "~~",
    "SubPlan 1", "hashed SubPlan 2", "InitPlan 1", "alternatives:", "or", ".col1", "lower(", "CASE WHEN", "THEN", "END", "5", "[", "]",
    "PARTIAL", "IN (", "BETWEEN", "COLLATE \"C\"", "rescan", "ARRAY[", "'", '"', "NULL", "?", "\0", ";", "--", "{{",
]  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_never_fails(text: str) -> None:
    for found in sqltext.comparisons(sqltext.condition(text)):
        found.about("t")
    sqltext.sort_key(text)
    sqltext.operand(text)


def test_deep_conditions_are_opaque_or_read() -> None:
    for text in ("NOT " * 3000 + "a", "(" * 3000 + "a" + ")" * 3000, " || ".join(["a"] * 20_000) + " = 'x'"):
        assert sqltext.condition(text)
