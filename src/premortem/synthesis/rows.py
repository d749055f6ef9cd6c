"""Chunks: rows of a table as a pure function of plan, table and number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from premortem.model import RelationName
from premortem.synthesis import streams, wire
from premortem.synthesis.design import Chunk, ColumnPlan, Synthesis
from premortem.synthesis.drawing import Drawn
from premortem.synthesis.wire import Cells


def chunk(synthesis: Synthesis, relation: RelationName, number: int) -> Chunk:
    """Return a chunk of a table, the same on every worker and in any order."""
    table = synthesis.table(relation)
    span = table.rows_of(number)
    rows = np.arange(span.start, span.stop, dtype=np.int64)
    slots: dict[str, Drawn] = {}

    def random(purpose: str) -> np.random.Generator:
        return streams.stream(synthesis.seed, relation.sql, number, purpose)

    for draw in table.draws:
        draw.draw(rows, slots, random)
    cells = tuple(_filled(fill, slots[fill.slot]) for fill in table.fills)
    elements = {at: fill.element for at, fill in enumerate(table.fills) if fill.element is not None}
    return Chunk(
        relation=relation, number=number, rows=len(rows), columns=table.columns, cells=cells, elements=elements
    )


def _filled(fill: ColumnPlan, drawn: Drawn) -> Cells:
    found = fill.domain.cells(drawn.numbers)
    return found if drawn.nulls is None else found.nulled(drawn.nulls)


def encode(chunk: Chunk, oids: Mapping[str, int] | None = None) -> bytes:
    """Return a chunk as rows of binary COPY, without header and trailer.

    `oids` are the numbers of types in the target, by name: arrays of the database's own types name their elements'.
    """
    cells = list(chunk.cells)
    for at, element in chunk.elements.items():
        if oids and element in oids:
            cells[at] = _with_oid(cells[at], oids[element])
    return wire.rows(cells, chunk.rows)


def _with_oid(cells: Cells, oid: int) -> Cells:
    octets = cells.octets.copy()
    octets[:, 8:12] = np.frombuffer(oid.to_bytes(4, "big"), np.uint8)
    return Cells(octets=octets, lengths=cells.lengths)
