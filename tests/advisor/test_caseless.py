"""Django's `icontains`, `istartswith` and `iexact`: a trigram index for a word inside, a B-tree for a beginning."""

from __future__ import annotations

import pytest

from .conftest import Shop
from .test_choice import proposed

LIKE = "SELECT * FROM orders WHERE UPPER(name::text) LIKE UPPER({})"
TRIGRAMS = ["orders USING gin ((upper(name::text)) gin_trgm_ops)"]


@pytest.mark.parametrize(("pattern", "is_infix"), [("%ame 771%", True), ("name 771%", False), ("%e 771", True)])
def test_a_caseless_pattern_gets_the_index_of_its_shape(shop: Shop, pattern: str, is_infix: bool) -> None:
    literal = proposed(shop.choose(LIKE.format(f"'{pattern}'")))
    captured = proposed(shop.choose(LIKE.format("$1"), captured=(pattern,), typical=(pattern.replace("771", "842"),)))
    assert literal == captured
    assert (literal == TRIGRAMS) == is_infix, literal
    assert is_infix or "gin" not in literal[0], literal


def test_a_caseless_equality_gets_a_btree(shop: Shop) -> None:
    sql = "SELECT * FROM orders WHERE UPPER(name::text) = UPPER({})"
    assert proposed(shop.choose(sql.format("$1"), captured=("name 77",))) == ["orders ((upper(name::text)))"]
    assert proposed(shop.choose(sql.format("'name 77'"))) == ["orders ((upper(name::text)))"]


def test_a_caseless_pattern_that_is_not_known_gets_trigrams(shop: Shop) -> None:
    assert proposed(shop.choose(LIKE.format("$1"), generic=(None,))) == TRIGRAMS
