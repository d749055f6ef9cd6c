"""Pseudonyms keep order, equality and frequency, and let no value through."""

from __future__ import annotations

import ipaddress
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from premortem.catalog import forms, pseudonyms

SECRET = st.binary(min_size=32, max_size=32)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
NUMBER = st.one_of(
    st.integers(-(2**15), 2**15 - 1).map(lambda n: (Decimal(n), 2**15 - 1)),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: (Decimal(n), 2**31 - 1)),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: (Decimal(n), 2**63 - 1)),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20).map(
        lambda n: (n, 0)
    ),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda n: (Decimal(repr(n)), 0)),
)


@given(st.lists(TEXT, unique=True), SECRET)
def test_tokens_sort_as_the_values_do(values: list[str], secret: bytes) -> None:
    ordered = sorted(values, key=pseudonyms.code_point_key)
    tokens = pseudonyms.text_tokens(ordered, secret, "t")
    made = [tokens(value) for value in ordered]
    assert made == sorted(made)
    assert len(set(made)) == len(values)
    assert len({len(token) for token in made}) <= 1


@given(st.lists(NUMBER, max_size=60), SECRET)
def test_numbers_keep_their_order_and_their_type(values: list[tuple[Decimal, int]], secret: bytes) -> None:
    limits: dict[Decimal, int] = {}
    for number, limit in values:
        if number:
            known = limits.get(abs(number), 0)
            limits[abs(number)] = min(known, limit) if known and limit else known or limit
    # A bound of -32768 is one below what the type's positive end admits; it is not moved at all.
    moved = pseudonyms.numbers(limits, secret)
    ordered = sorted({number for number, _ in values})
    made = [Decimal(moved(f"{number:f}")) for number in ordered]
    assert made == sorted(made)
    assert len(set(made)) == len(ordered)
    for number, pseudonym in zip(ordered, made, strict=True):
        limit = limits.get(abs(number), 0)
        assert not limit or abs(pseudonym) <= max(limit, abs(number))


@given(st.lists(st.integers(1, 10**6), min_size=1, unique=True), SECRET)
def test_no_number_but_zero_stays_what_it_is_and_none_more_than_doubles(values: list[int], secret: bytes) -> None:
    moved = pseudonyms.numbers({Decimal(n): 2**31 - 1 for n in values}, secret)
    for n, value in enumerate(sorted(values)):
        assert value < int(moved(str(value))) <= 2 * value + 2 + n
    assert moved("0") == "0"


def test_equal_numbers_of_different_types_have_equal_pseudonyms() -> None:
    moved = pseudonyms.numbers({Decimal(7): 2**15 - 1, Decimal("12.50"): 0}, bytes(32))
    assert Decimal(moved("7")) == Decimal(moved("7.00"))
    assert moved("12.50").endswith(".50")
    assert moved("-7") == "-" + moved("7")
    assert moved("NaN") == "NaN"


def test_a_type_that_is_full_keeps_its_values() -> None:
    moved = pseudonyms.numbers({Decimal(n): 32767 for n in range(32700, 32768)}, bytes(32))
    assert [moved(str(n)) for n in range(32700, 32768)] == [str(n) for n in range(32700, 32768)]


@given(st.lists(TEXT, unique=True, min_size=1), st.data())
def test_histograms_are_believed_rather_than_the_guessed_collation(values: list[str], data: st.DataObject) -> None:
    true_order = data.draw(st.permutations(values))
    chains = data.draw(
        st.lists(
            st.lists(st.sampled_from(true_order), unique=True).map(lambda chosen: sorted(chosen, key=true_order.index)),
            max_size=4,
        )
    )
    found = pseudonyms.in_order(values, chains, pseudonyms.linguistic_key)
    assert sorted(found) == sorted(values)
    place = {value: n for n, value in enumerate(found)}
    for chain in chains:
        assert [place[value] for value in chain] == sorted(place[value] for value in chain)


def test_chains_that_contradict_each_other_lose_nothing() -> None:
    assert sorted(pseudonyms.in_order("abc", [["a", "b"], ["b", "a"]], pseudonyms.linguistic_key)) == ["a", "b", "c"]


def test_the_guessed_collation_is_about_that_of_a_language() -> None:
    words = ["10", "2", "Zoe", "adam", "Ärger", "Adam", "arm", "_x", "zoe"]
    found = sorted(words, key=pseudonyms.linguistic_key)
    assert found == ["_x", "10", "2", "adam", "Adam", "Ärger", "arm", "zoe", "Zoe"]


@given(st.lists(st.uuids().map(str), unique=True), SECRET)
def test_uuids_stay_uuids_in_order(values: list[str], secret: bytes) -> None:
    tokens = pseudonyms.uuid_tokens(values, secret)
    made = [tokens(value) for value in sorted(values)]
    assert made == sorted(made)
    assert not set(made) & set(values)


@given(st.lists(st.ip_addresses().map(str), unique=True, max_size=40), SECRET)
def test_addresses_stay_addresses_in_order(values: list[str], secret: bytes) -> None:
    tokens = pseudonyms.address_tokens(values, secret)
    ordered = sorted(values, key=lambda v: (ipaddress.ip_address(v).version, int(ipaddress.ip_address(v))))
    made = [int(ipaddress.ip_address(tokens(value))) for value in ordered]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_networks_are_sorted_as_postgresql_sorts_them() -> None:
    tokens = pseudonyms.address_tokens(["10.1.0.0/16", "10.0.0.0/8", "9.0.0.1", "::1"], bytes(32))
    made = [tokens(value) for value in ("9.0.0.1", "10.0.0.0/8", "10.1.0.0/16", "::1")]
    assert [ipaddress.ip_address(one) for one in made] == sorted(ipaddress.ip_address(one) for one in made)


@given(st.lists(st.one_of(st.none(), TEXT), max_size=8))
def test_arrays_come_apart_and_together(values: list[str | None]) -> None:
    escaped = ("NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    text = "{" + ",".join(escaped) + "}"
    assert list(forms.elements(text)) == [value for value in values if value is not None]
    again = forms.each_of_array(text, lambda value: value)
    assert list(forms.elements(again)) == [value for value in values if value is not None]


def test_ranges_come_apart_and_together() -> None:
    assert list(forms.bounds('["a ""b,",")x"]')) == ['a "b,', ")x"]
    assert forms.each_of_range("empty", str.upper) == "empty"
    assert forms.each_of_range("{[1,2),[5,)}", lambda bound: bound * 2) == "{[11,22),[55,)}"
    assert forms.each_of_range('["2020-01-01 00:00:00+00",)', lambda bound: bound) == '["2020-01-01 00:00:00+00",)'
