"""Does the advisor find every kind of index: queries that each need one, on tables of a million rows.

    python -m bench.advisor.features.run --major 15                    the whole set at once, literals and placeholders
    python -m bench.advisor.features.run --major 18 --form literal --only flag --only lower
    python -m bench.advisor.features.run --major 15 --state DIR        keep the loaded database and what was measured

Each query is executed as it is, with a reference index that a person would make, and with what `premortem advise` says
for all of them together: from the text with its values, and from the text with placeholders.  It counts as solved where
an index is used and it takes at most twice the reference's buffers, or twice its time.

Of many queries that count alike an index has to earn its bytes: one that would only better what another index leaves
may be left out.  `--alone` asks for each query by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from premortem import catalog, pg
from premortem.errors import PremortemError
from premortem.model import Values, literal

HERE = Path(__file__).parent
SETTINGS: dict[str, str | int | float | bool] = {
    "shared_buffers": "2GB", "effective_cache_size": "4GB", "work_mem": "64MB", "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB", "random_page_cost": 1.1, "jit": False, "max_parallel_workers_per_gather": 0,
    "max_parallel_maintenance_workers": 0, "autovacuum": False, "fsync": False, "synchronous_commit": False,
    "full_page_writes": False,
}  # fmt: skip
#: A page or two more are no difference, nor are the fractions of a millisecond that a loaded machine adds.
SLACK_BUFFERS = 8
SLACK_MS = 0.2
FORMS = ("literal", "parameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A query, the values that it is executed with, and a person's index for it."""

    name: str
    sql: str
    values: tuple[str, ...]
    reference: tuple[str, ...]

    @property
    def literal(self) -> str:
        """The query with the values in its text."""
        return re.sub(r"\$(\d+)", lambda m: literal(self.values[int(m[1]) - 1]), self.sql)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One execution: buffers, milliseconds, and the indexes that were read."""

    buffers: int
    milliseconds: float
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of a feature in one form."""

    feature: Feature
    before: Reading
    reference: Reading
    after: Reading
    own: tuple[str, ...]

    @property
    def solved(self) -> bool:
        """Whether an index serves it about as well as the reference does."""
        fewer = self.after.buffers <= 2 * self.reference.buffers + SLACK_BUFFERS
        quicker = self.after.milliseconds <= 2 * self.reference.milliseconds + SLACK_MS
        return bool(self.after.indexes) and (fewer or quicker)

    @property
    def slower(self) -> bool:
        """Whether it reads more and takes longer than without any index."""
        more = self.after.buffers > 1.1 * self.before.buffers + SLACK_BUFFERS
        return more and self.after.milliseconds > 1.2 * self.before.milliseconds + SLACK_MS


def features(only: Sequence[str]) -> tuple[Feature, ...]:
    """Return the features, those of the names alone where there are some."""
    told = tomllib.loads((HERE / "features.toml").read_text(encoding="utf-8"))["feature"]
    every = (
        Feature(name=f["name"], sql=f["sql"], values=tuple(f["values"]), reference=tuple(f["reference"])) for f in told
    )
    return tuple(f for f in every if not only or f.name in only)


# the server -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def opened(major: int, state: Path) -> Iterator[pg.Server]:
    """Yield the server with the tables, which are loaded if they are not there."""
    data = state / f"data-{major}"
    is_new = not (data / "PG_VERSION").is_file()
    with pg.start(pg.installation(major), data_directory=data, keep=True, settings=SETTINGS) as server:
        with pg.writer(server, purpose="bench") as db:
            if is_new:
                started = time.perf_counter()
                db.execute((HERE / "schema.sql").read_text(encoding="utf-8"))
                print(f"loaded in {time.perf_counter() - started:.0f} s", file=sys.stderr)
            dropped(db)
            if is_new:
                db.execute("CHECKPOINT")  # else VACUUM may find nothing visible to all yet
                db.execute("VACUUM (ANALYZE)")
                db.execute("SELECT pg_catalog.pg_stat_reset()")  # the load is not what the tables usually see
        yield server


def dropped(db: pg.Session) -> None:
    """Drop what an earlier round left: every index but the keys' and the two that are the schema's own."""
    names = db.values(
        "SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
        " WHERE i.indexrelid >= 16384 AND NOT c.relispartition"
        " AND c.relname NOT IN ('orders_customer', 'documents_owner')"
        " AND c.relnamespace = 'public'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)"
    )
    for name in names:
        db.execute(f"DROP INDEX {name}")


def profiled(server: pg.Server, file: Path) -> Path:
    """Pull the profile, as a user would."""
    with pg.session(server, purpose="bench") as db:
        catalog.write(catalog.pull(db, values=Values.ALL), file)
    return file


# measuring --------------------------------------------------------------------------------------------------


def reading(db: pg.Session, feature: Feature) -> Reading:
    """Execute a query three times and return the second's buffers and the least time; nothing is kept of it."""
    found = [_once(db, feature.literal)]
    if found[0].milliseconds < 2000:
        found += [_once(db, feature.literal) for _ in range(2)]
    return Reading(
        buffers=found[-1].buffers, milliseconds=min(f.milliseconds for f in found), indexes=found[-1].indexes
    )


def _once(db: pg.Session, sql: str) -> Reading:
    with db.rolled_back():
        told = db.value(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}")
    plan = told[0]["Plan"]
    return Reading(
        buffers=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], milliseconds=told[0]["Execution Time"],
        indexes=tuple(sorted({str(n["Index Name"]) for n in _nodes(plan) if "Index Name" in n})),
    )  # fmt: skip


def _nodes(plan: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    yield plan
    for child in plan.get("Plans", ()):  # type: ignore[attr-defined]
        yield from _nodes(child)


def referenced(db: pg.Session, every: Sequence[Feature], file: Path) -> dict[str, tuple[Reading, Reading]]:
    """Return what each query reads without help and with its reference index; measured once and kept."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    for feature in every:
        if feature.name not in kept:
            before = reading(db, feature)
            for statement in feature.reference:
                db.execute(statement)
            kept[feature.name] = {"before": asdict(before), "reference": asdict(reading(db, feature))}
            dropped(db)
            file.write_text(json.dumps(kept))
    return {name: (Reading(**one["before"]), Reading(**one["reference"])) for name, one in kept.items()}


# the advisor ------------------------------------------------------------------------------------------------


def advised(profile: Path, every: Sequence[Feature], form: str, more: Sequence[str]) -> tuple[tuple[str, ...], float]:
    """Ask the command for all of them together; return its statements and the seconds that it took."""
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        for feature in every:
            text = feature.literal if form == "literal" else feature.sql
            (Path(folder) / f"{feature.name}.sql").write_text(f"{text};\n", encoding="utf-8")
        command = [sys.executable, "-m", "premortem", "advise", "-p", str(profile), folder, "--format", "json"]
        command += ["--min-share", "0", *more]  # each of them is one of many, and none is to be left out for that
        started = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(command)}\nended with {ran.returncode}:\n{ran.stderr}")
    told = json.loads(ran.stdout)
    found = [s for one in told["recommendations"] for s in one["statements"]]
    return tuple(found), time.perf_counter() - started


def built(db: pg.Session, statements: Sequence[str]) -> None:
    """Build what was said, nobody else being there to be blocked."""
    for statement in statements:
        try:
            db.execute(re.sub(r"\bCONCURRENTLY\b", "", statement, count=1))
        except PremortemError as error:
            print(f"{statement}\n    {error.message}", file=sys.stderr)


def judged(
    db: pg.Session, every: Sequence[Feature], known: Mapping[str, tuple[Reading, Reading]], statements: Sequence[str]
) -> list[Row]:
    """Build the set, execute every query with it, and take it away again."""
    own = set(db.values("SELECT relname::text FROM pg_class WHERE relkind IN ('i', 'I')"))
    built(db, statements)
    rows = []
    for feature in every:
        before, reference = known[feature.name]
        after = reading(db, feature)
        rows.append(
            Row(feature=feature, before=before, reference=reference, after=after,
                own=tuple(i for i in after.indexes if i not in own))
        )  # fmt: skip
    dropped(db)
    return rows


def report(rows: Sequence[Row], form: str) -> None:
    """Print a line for each feature, the unsolved ones marked, and the sum."""
    print(f"\n{form:28}{'before':>18}{'reference':>18}{'advised':>18}")
    for row in rows:
        figures = "".join(f"{r.buffers:9,} {r.milliseconds:8.2f}" for r in (row.before, row.reference, row.after))
        name = row.feature.name if row.solved else f"* {row.feature.name}"
        print(f"{name:28}{figures}  {', '.join(row.after.indexes)}")
    print(f"solved {sum(r.solved for r in rows)} of {len(rows)}, slower {sum(r.slower for r in rows)}")


def main() -> None:
    """Load, measure the references, ask, build, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--form", choices=FORMS, action="append")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--alone", action="store_true", help="ask for each query by itself")
    parser.add_argument("--show", action="store_true", help="print the statements")
    typed, more = parser.parse_known_args()
    every = features(typed.only)
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        state = typed.state or Path(folder)
        state.mkdir(parents=True, exist_ok=True)
        with opened(typed.major, state) as server, pg.writer(server, purpose="bench") as db:
            profile = profiled(server, state / f"{typed.major}.profile")
            known = referenced(db, every, state / f"reference-{typed.major}.json")
            for form in typed.form or FORMS:
                rounds = [(one,) for one in every] if typed.alone else [every]
                rows: list[Row] = []
                for asked in rounds:
                    statements, seconds = advised(profile, asked, form, more)
                    print(
                        f"{len(statements)} statements in {seconds:.1f} s",
                        *(statements if typed.show else ()),
                        sep="\n",
                    )
                    rows += judged(db, asked, known, statements)
                report(rows, form)


if __name__ == "__main__":
    main()
