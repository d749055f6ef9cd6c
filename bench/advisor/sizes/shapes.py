"""The indexes whose sizes are compared: one line each, read into candidates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from premortem.model import IndexCandidate, IndexKey, RelationName

HERE = Path(__file__).parent


def read(name: str) -> tuple[IndexCandidate, ...]:
    """Return the candidates that the lines of a file describe.

    A line is `table: keys INCLUDE columns WHERE condition`, an expression in brackets, an operator class after its key,
    another method than B-tree in front of the keys, and `unique` before that.
    """
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return tuple(candidate(line) for line in lines if line.strip() and not line.startswith("#"))


def candidate(line: str) -> IndexCandidate:
    """Return the index that a line describes."""
    table, _, rest = line.partition(":")
    unique = rest.strip().startswith("unique ")
    left, _, predicate = rest.strip().removeprefix("unique ").partition(" WHERE ")
    keys, _, include = left.partition(" INCLUDE ")
    method = next((m for m in ("gin", "gist", "spgist", "brin", "hash") if keys.startswith(m + " ")), "btree")
    return IndexCandidate(
        table=RelationName(schema="public", name=table.strip()),
        keys=tuple(_keys(keys.removeprefix(method + " ") if method != "btree" else keys)),
        method=method, include=tuple(include.split()), predicate=predicate.strip() or None, unique=unique,
    )  # fmt: skip


def _keys(text: str) -> Iterator[IndexKey]:
    words = re.findall(r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|[^\s()]+", text)
    for place, word in enumerate(words):
        if word.endswith("_ops"):
            continue
        following = words[place + 1] if place + 1 < len(words) else ""
        opclass = following if following.endswith("_ops") else None
        if word.startswith("("):
            yield IndexKey(expression=word[1:-1], opclass=opclass)
        else:
            yield IndexKey(column=word, opclass=opclass)
