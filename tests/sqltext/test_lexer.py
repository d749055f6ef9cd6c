"""Our tokens against PostgreSQL's own scanner, and what PostgreSQL's cannot read."""

# ruff: noqa: E501 - in a table, an example is a line

import re

import postgast
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from premortem.sqltext.lexer import Kind, tokens

PIECES = [
    "select", "a", "x1", "_y", "É", "日本", "\u00a0z", '"Q ""x"', 'U&"d\\0061t"', "1", "1.5", ".5", "1e10", "0x1F", "1_000", "5.", "1..2",
    "'s'", "'it''s'", "E'a\\'b'", "e'\\\\'", "B'01'", "X'1F'", "U&'\\0041'", "$1", "$23", "$$ a;b $$", "$t$ $$ ' $t$", "::",
    ":=", "=>", "..", "(", ")", "[", "]", ",", ";", ".", ":", "+", "-", "*", "/", "<", ">", "=", "<=", ">=", "<>", "!=", "->", "->>", "#>>",
    "@>", "<@", "?", "?|", "?&", "||", "&&", "@@", "@?", "~~*", "!~~", "%", "^", "|/", "@-", "=-", "*-", "<->", "--c\n", "/* c */",
    "/* a /* b */ c */", "-- end",
]  # fmt: skip
#: `'a'` newline `'b'` is one string to PostgreSQL and two tokens here, which no reader of ours can tell apart.
CONTINUED = re.compile(r"'\s*\n\s*(?:--c\n\s*)*'")
GAPS = ["", " ", "\n", "\t", "\r\n"]


def ours(sql: str) -> list[str]:
    return [t.text for t in tokens(sql)]


def theirs(sql: str) -> list[str] | None:
    try:
        found = postgast.scan(sql).tokens
    except postgast.PgQueryError:
        return None
    raw = sql.encode()
    return [raw[t.start : t.end].decode() for t in found]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=12))
@example([("1", ""), ("..", ""), ("2", "")])
@example([("*-", ""), ("--c\n", ""), ("a", "")])
def test_agrees_with_postgresql_on_what_it_can_scan(pieces: list[tuple[str, str]]) -> None:
    sql = "".join(piece + gap for piece, gap in pieces)
    expected = theirs(sql)
    if expected is not None and not CONTINUED.search(sql):
        assert ours(sql) == expected


@settings(max_examples=500, deadline=None)
@given(st.text())
def test_reads_any_text_without_losing_a_character(text: str) -> None:
    position = 0
    for token in tokens(text):
        assert text[position : token.start].strip(" \t\n\r\f\v") == ""
        assert text[token.start : token.end] == token.text
        assert token.end > token.start
        position = token.end
    assert text[position:].strip(" \t\n\r\f\v") == ""


@pytest.mark.parametrize(
    ("sql", "kind", "text"),
    [
        ("select {{ ref('a') }} x", Kind.TEMPLATE, "{{ ref('a') }}"),
        ("{% if x %} select", Kind.TEMPLATE, "{% if x %}"),
        ("{# it's #} select", Kind.TEMPLATE, "{# it's #}"),
        ("a = ${x} and", Kind.TEMPLATE, "${x}"),
        ("a = #{x,jdbcType=VARCHAR} and", Kind.TEMPLATE, "#{x,jdbcType=VARCHAR}"),
        ("a = {name} and", Kind.TEMPLATE, "{name}"),
        ("a = <%= name %> and", Kind.TEMPLATE, "<%= name %>"),
        ("\\set x 'don\nselect", Kind.META, "\\set x 'don"),
        ("select 'a\nb", Kind.BROKEN, "'a\nb"),
        ('select "a\nb', Kind.BROKEN, '"a\nb'),
        ("select /* a /* b */", Kind.BROKEN, "/* a /* b */"),
        ("select $x$ a $y$", Kind.BROKEN, "$x$ a $y$"),
    ],
)
def test_gives_what_postgresql_cannot_read_a_kind_of_its_own(sql: str, kind: Kind, text: str) -> None:
    assert (kind, text) in [(t.kind, t.text) for t in tokens(sql)]


def test_a_string_that_never_ends_costs_its_own_statement_only() -> None:
    found = ours("select 'a;\n-- name: next\nselect \"b")
    assert found == ["select", "'a", ";", "-- name: next", "select", '"b']


def test_copy_data_is_no_sql() -> None:
    found = list(tokens("copy t from stdin;\n1\tdon't; select\n\\.\nselect 1"))
    assert [t.kind for t in found if t.kind is Kind.DATA] == [Kind.DATA]
    assert found[-1].text == "1"


def test_trigram_operators_are_no_templates() -> None:
    assert ours("a <% b and c %> d") == ["a", "<%", "b", "and", "c", "%>", "d"]
