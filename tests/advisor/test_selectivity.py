"""What share of a table an index predicate keeps."""

from __future__ import annotations

from premortem.advisor.selectivity import share_of_predicate
from premortem.model import Column, ColumnStatistics, RelationKind, Table


def table(type_name: str) -> Table:
    statistics = ColumnStatistics(
        null_fraction=0.0, average_width=11, n_distinct=4,
        most_common_values=("AIR       ", "MAIL      ", "SHIP      "), most_common_frequencies=(0.5, 0.3, 0.15),
    )  # fmt: skip
    column = Column(name="mode", number=1, type=type_name, statistics=(statistics,))
    return Table(schema="public", name="line", kind=RelationKind.TABLE, columns=(column,), tuples=1e6, pages=10_000,
                 relation_pages=10_000)  # fmt: skip


def test_blanks_at_the_end_of_a_padded_value_do_not_count() -> None:
    assert share_of_predicate("mode = 'AIR'::bpchar", table("character(10)")) == 0.5
    assert round(share_of_predicate("mode = ANY ('{MAIL,SHIP}'::bpchar[])", table("character(10)")), 3) == 0.45
    assert share_of_predicate("mode = 'AIR'::text", table("text")) < 0.1
