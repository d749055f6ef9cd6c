"""How close the estimated size of an index comes to the built one, over many shapes of key.

    python bench/advisor_size/run.py [--rows 300000] [--major 15]

Every index is built on a server of our own, and compared with what `advisor.index_size` says of it from the statistics.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem import advisor, catalog, pg
from premortem.model import IndexCandidate, IndexKey, RelationName, Values

TABLE = RelationName(schema="public", name="item")
SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
#: keys | include | predicate; an expression stands in brackets, an operator class after a blank.
SHAPES = """
id
account
account_skewed
status
flag
created
created day
uid
name
email
price
score
maybe
mostly_null
kind
note
account created
status created
account status
account_skewed status
account_skewed created
flag account
status kind flag
uid account
name status
email account
price status
day status
maybe account
mostly_null account
account created status
account | status
account | status created
created | account
email | id
note | id
account || status = 'rare'
created || status = 'rare'
created || flag
account || maybe IS NULL
account || mostly_null IS NOT NULL
status || flag
(lower(email))
(date_trunc('day', created))
(created::date)
(created::date) status
(doc ->> 'kind')
name text_pattern_ops
gin doc jsonb_path_ops
gin doc
gin tags
gin name gin_trgm_ops
gin note gin_trgm_ops
gin email gin_trgm_ops
gin (to_tsvector('english', note))
gist span
gist place
gist ip inet_ops
brin created
hash account
hash uid
ip
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An index, its estimated and its built size, in pages and levels."""

    shape: str
    estimated: int
    built: int
    estimated_level: int | None
    built_level: int | None

    @property
    def ratio(self) -> float:
        """Estimated by built."""
        return self.estimated / self.built


def candidate(shape: str) -> IndexCandidate:
    """Return the index that a line of SHAPES describes."""
    left, _, predicate = shape.partition("||")
    keys, _, include = left.partition("|")
    method = "btree"
    words = keys.split()
    if words[0] in ("gin", "gist", "brin", "hash"):
        method, keys = words[0], keys.split(None, 1)[1]
    return IndexCandidate(
        table=TABLE,
        keys=tuple(_keys(keys)),
        method=method,
        include=tuple(include.split()),
        predicate=predicate.strip() or None,
    )


def _keys(text: str) -> Iterator[IndexKey]:
    bracket = re.match(r"\((.*)\)\s*(\w+)?\s*$", text.strip())
    if bracket and text.strip().startswith("("):
        yield IndexKey(expression=bracket[1])
        if bracket[2]:
            yield IndexKey(column=bracket[2])
        return
    words = text.split()
    for place, word in enumerate(words):
        if word.endswith("_ops"):
            continue
        following = words[place + 1] if place + 1 < len(words) else ""
        yield IndexKey(column=word, opclass=following if following.endswith("_ops") else None)


def measure(rows: int, major: int) -> tuple[Measured, ...]:
    """Return estimates beside what was really built, for every shape."""
    with pg.start(pg.installation(major)) as server:
        with pg.writer(server, purpose="bench") as db:
            db.execute(SCHEMA.replace(":rows", str(rows)))
            db.execute("VACUUM ANALYZE item")
        with pg.session(server, purpose="bench") as db:
            profile = catalog.pull(db, values=Values.ALL)
        table = profile.table(TABLE)
        assert table is not None
        with pg.writer(server, purpose="bench") as db:
            return tuple(
                _one(db, shape, advisor.index_size(candidate(shape), table)) for shape in SHAPES.strip().splitlines()
            )


def _one(db: pg.Session, shape: str, size: advisor.IndexSize) -> Measured:
    db.execute(candidate(shape).create_sql("measured", concurrently=False))
    pages = db.value("SELECT pg_relation_size('public.measured') / 8192")
    level = db.value("SELECT level FROM bt_metap('public.measured')") if candidate(shape).method == "btree" else None
    db.execute("DROP INDEX public.measured")
    return Measured(
        shape=shape, estimated=size.pages, built=int(str(pages)), estimated_level=size.level,
        built_level=None if level is None else int(str(level)),
    )  # fmt: skip


def main() -> None:
    """Print the table and how many are within 15 and 25 percent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--major", type=int, default=15)
    arguments = parser.parse_args()
    found = measure(arguments.rows, arguments.major)
    for one in found:
        mark = "" if 0.85 <= one.ratio <= 1.15 else " *" if 0.75 <= one.ratio <= 1.25 else " **"
        levels = f"level {one.estimated_level}/{one.built_level}" if one.built_level is not None else ""
        print(f"{one.shape:45} {one.estimated:7} {one.built:7} {one.ratio:6.2f} {levels}{mark}")
    for share in (0.15, 0.25):
        near = sum(1 - share <= one.ratio <= 1 + share for one in found)
        print(f"within {share:.0%}: {near} of {len(found)}")


if __name__ == "__main__":
    main()
