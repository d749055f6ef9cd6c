"""Which trigrams a condition has PostgreSQL look for, compared with what `pg_trgm` itself makes of the texts."""

from __future__ import annotations

import pytest

from premortem import pg, sqltext
from premortem.advisor.trigrams import _looked_for
from premortem.model import literal

CONSTANTS = ["User99@Example.com", "a", "", "two words", "under_score-42", "50% off", "x  y"]
#: What is looked for is a part of what such a text has: no trigram that an open end would change.
PATTERNS = [
    ("~~", "%ser99@exam%", {"ser", "er9", "r99", "99 ", "  e", " ex", "exa", "xam"}),
    ("~~", "User99%", {"  u", " us", "use", "ser", "er9", "r99"}),
    ("~~*", "%99", {"99 "}),
    ("~~", "ab_de", {"  a", " ab", "de "}),
    ("~~", r"%50\%", {"50 "}),
    ("~~", "%a%", set()),
    ("~", "word47[0-9] and$", {"wor", "ord", "rd4", "d47", "  a", " an", "and"}),
    ("~", "colou?rs", {"col", "olo"}),
    ("~", "one|two", set()),
]


def looked_for(condition: str) -> set[str]:
    """The trigrams of a condition as EXPLAIN says it."""
    (about,) = sqltext.comparisons(sqltext.condition(condition))
    assert about.right is not None
    assert about.right.constant is not None
    return set(_looked_for(about, about.right.constant))


@pytest.mark.parametrize("constant", CONSTANTS)
def test_equality_looks_for_what_pg_trgm_makes_of_the_text(server: pg.Server, constant: str) -> None:
    with pg.writer(server, purpose="test") as db, db.rolled_back():
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        known = set(db.values(f"SELECT unnest(show_trgm({literal(constant)}))"))
    assert looked_for(f"(email = {literal(constant)}::text)") == known


@pytest.mark.parametrize(("operator", "pattern", "known"), PATTERNS)
def test_a_pattern_looks_for_what_no_wildcard_touches(operator: str, pattern: str, known: set[str]) -> None:
    assert looked_for(f"(email {operator} {literal(pattern)}::text)") == known
