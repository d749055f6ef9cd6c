"""Keeps the values of one parameter set out of an index's definition.

A plan made for given values has them in its expressions as if the query said them: an index over
`ts_rank(search, 'word'::tsquery)` would serve that one word.  What the generic plan says too is the query's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem.model import IndexCandidate, Json, Planned

_ALIAS = re.compile(r"""(?<![\w'"])(?:[a-z_]\w*|"(?:[^"]|"")+")\.(?=[a-z_"])""")
_CONSTANT = re.compile(r"'|(?<![\w$])\d")


@dataclass(slots=True)
class Said:
    """All that the generic plan says, bare, collected when it is first asked for; None without placeholders."""

    planned: Sequence[Planned]
    _text: str | None = None

    @property
    def text(self) -> str | None:
        """The text, once collected."""
        generic = next((p for p in self.planned if p.parameters.is_generic), None)
        if self._text is None and generic is not None:
            self._text = " ".join(bare(text) for node in generic.plan.walk() for text in _texts(dict(node.raw)))
        return self._text


def is_of_values(candidate: IndexCandidate, said: Said) -> bool:
    """Whether an expression of the candidate holds a constant that only a parameter set brings."""
    expressions = [k.expression for k in candidate.keys if k.expression and _CONSTANT.search(k.expression)]
    return bool(expressions) and said.text is not None and any(bare(e) not in said.text for e in expressions)


def bare(text: str) -> str:
    """Return a deparsed text without the aliases that plans put before columns, then without blanks and brackets.

    >>> bare("to_tsvector('simple'::regconfig, COALESCE(v.note, ''::text))")
    "to_tsvector'simple'::regconfig,COALESCEnote,''::text"
    """
    return re.sub(r"[\s()]", "", _ALIAS.sub("", text))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
