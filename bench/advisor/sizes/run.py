"""How near the estimated size of an index comes to the built one.

    python -m bench.advisor.sizes.run [--rows 300000] [--major 15]              indexes of every kind, tables of our own
    python -m bench.advisor.sizes.run --data-directory DIR --queries FOLDER     all that the advisor would try

Every index is built on a real server, measured and dropped, and compared with what `advisor.index_size` says of it
from the statistics.  With `--keep FOLDER` the measurements and the profile stay there, a second run builds only what is
new, and one with `--compare` nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.advisor.sizes import measured, proposed, shapes
from premortem import advisor, catalog, pg
from premortem.model import IndexCandidate, Profile, Values

SETTINGS = {"maintenance_work_mem": "1GB", "max_parallel_maintenance_workers": "0", "autovacuum": "off"}
OWN = ("item", "hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An index, its estimated and its built size, in pages and levels."""

    built: measured.Measured
    estimate: advisor.IndexSize

    @property
    def ratio(self) -> float:
        """Estimated by built."""
        return self.estimate.pages / self.built.pages

    @property
    def off(self) -> float:
        """How far it is off, as a share of the built size; a page more or less in a handful is not."""
        return max(0.0, abs(self.estimate.pages - self.built.pages) - 1) / self.built.pages

    @property
    def kind(self) -> str:
        """The class that its figures are added to."""
        candidate = self.built.candidate
        if candidate.method != "btree":
            return candidate.method
        if any(k.expression for k in candidate.keys):
            return "btree, expression"
        if candidate.predicate:
            return "btree, partial"
        if candidate.include:
            return "btree, INCLUDE"
        return "btree, one column" if len(candidate.keys) == 1 else "btree, several columns"


def own(arguments: argparse.Namespace, keep: Path) -> Iterator[Compared]:
    """Yield the comparisons on tables of our own."""
    with contextlib.ExitStack() as stack:
        server = (
            None
            if arguments.compare
            else stack.enter_context(pg.start(pg.installation(arguments.major), settings=SETTINGS))
        )
        for name in OWN:
            if server is not None:
                _load(server, name, arguments.rows, keep / f"{name}.profile", arguments.values)
            candidates = shapes.read(f"{name}.shapes")
            yield from _compared(server, name, candidates, catalog.read(keep / f"{name}.profile"), keep)


def _load(server: pg.Server, name: str, rows: int, file: Path, values: Values) -> None:
    with pg.writer(server, purpose="bench") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server, purpose="bench", database=name) as db:
        db.execute((shapes.HERE / f"{name}.sql").read_text(encoding="utf-8").replace(":rows", str(rows)))
        db.execute("VACUUM ANALYZE")
    _pull(server, name, file, values)


def _pull(server: pg.Server, database: str, file: Path, values: Values) -> Profile:
    with pg.session(server, purpose="bench", database=database) as db:
        profile = catalog.pull(db, values=values)
    catalog.write(profile, file)
    return profile


def suite(arguments: argparse.Namespace, keep: Path) -> Iterator[Compared]:
    """Yield the comparisons for a cluster that holds the tables of the queries, in its database `postgres`."""
    file = keep / "postgres.profile"
    if (keep / "postgres.jsonl").exists() and arguments.compare:
        candidates = tuple(m.candidate for m in measured.read(keep / "postgres.jsonl"))
        yield from _compared(None, "postgres", candidates, catalog.read(file), keep)
        return
    with pg.start(
        pg.installation(arguments.major), data_directory=arguments.data_directory, keep=True, settings=SETTINGS
    ) as server:
        profile = _pull(server, "postgres", file, arguments.values)
        with pg.writer(server, purpose="bench") as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
        candidates = proposed.proposed(profile, arguments.queries)
        yield from _compared(server, "postgres", candidates[:: -(-len(candidates) // arguments.most)], profile, keep)


def _compared(
    server: pg.Server | None, name: str, candidates: Sequence[IndexCandidate], profile: Profile, keep: Path
) -> Iterator[Compared]:
    file = keep / f"{name}.jsonl"
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(pg.writer(server, purpose="bench", database=name)) if server is not None else None
        tables = {t.relation: profile.with_base_types(t) for t in profile.tables}
        wanted = {(c.definition, c.unique) for c in candidates}
        found = measured.measure(db, candidates, file) if db is not None else measured.read(file)
        for built in found:
            if (built.candidate.definition, built.candidate.unique) in wanted:
                table = tables[built.candidate.table]
                size = advisor.index_size(built.candidate, table, major=profile.server.major)
                yield Compared(built=built, estimate=size)


def report(found: Iterable[Compared]) -> None:
    """Print every index, the worst last, and per class how many are near and how many have the right height."""
    kinds: dict[str, list[Compared]] = defaultdict(list)
    for one in sorted(found, key=lambda one: one.off):
        kinds[one.kind].append(one)
        mark = "" if one.off <= 0.15 else "  *" if one.off <= 0.25 else "  **"
        level = "" if one.built.level is None else f"level {one.estimate.level}/{one.built.level}"
        where = f"{one.estimate.pages:8} {one.built.pages:8} {one.ratio:6.2f} {level:9}"
        print(f"{one.built.candidate.definition[:100]:100} {where}{mark}")
    print(f"\n{'':24} {'indexes':>8} {'15 %':>6} {'25 %':>6} {'height':>7}")
    for kind in sorted(kinds):
        _summary(kind, kinds[kind])
    _summary("all", [one for ones in kinds.values() for one in ones])


def _summary(kind: str, ones: Sequence[Compared]) -> None:
    within = [sum(one.off <= share for one in ones) / len(ones) for share in (0.15, 0.25)]
    trees = [one for one in ones if one.built.level is not None]
    level = f"{sum(one.estimate.level == one.built.level for one in trees) / len(trees):7.1%}" if trees else ""
    print(f"{kind:24} {len(ones):8} {within[0]:6.1%} {within[1]:6.1%} {level}")


def main() -> None:
    """Compare, print the table, and say how long an estimate takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--values", type=Values, default=Values.ALL, help="as of premortem pull")
    parser.add_argument("--data-directory", type=Path, help="a stopped cluster that may be started and written to")
    parser.add_argument("--queries", type=Path, help="a folder of queries, one a file")
    parser.add_argument("--most", type=int, default=1000, help="build no more, taken evenly from all")
    parser.add_argument("--keep", type=Path, help="where measurements stay")
    parser.add_argument("--compare", action="store_true", help="compare what was measured before, build nothing")
    arguments = parser.parse_args()
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="sizes-"))
    keep.mkdir(parents=True, exist_ok=True)
    found = tuple(suite(arguments, keep) if arguments.queries else own(arguments, keep))
    report(found)
    _speed(found, keep)


def _speed(found: Sequence[Compared], keep: Path) -> None:
    profiles = [catalog.read(file) for file in keep.glob("*.profile")]
    tables = [(c.built.candidate, t) for c in found for p in profiles if (t := p.table(c.built.candidate.table))] * 3
    started = time.process_time()
    for candidate, table in tables:
        advisor.index_size(candidate, table)
    print(f"\n{(time.process_time() - started) / max(len(tables), 1) * 1e6:.0f} µs an estimate, statistics read once")


if __name__ == "__main__":
    main()
