"""Asks `premortem advise` for indexes of TPC-H or TPC-DS, builds them, and executes what they change.

    python -m bench.advisor.run --suite tpch --major 15 --budget 250MB --budget 700MB --budget none
    python -m bench.advisor.run --suite tpcds --major 18 --budget 500MB
    python -m bench.advisor.run --suite tpch --major 15 --indexes my.sql      a set from somewhere else
    python -m bench.advisor.run --suite tpch --major 15 --apart               Q2, Q17 and Q20 alone
    python -m bench.advisor.run --suite tpch --major 15 --mirror              the advisor may execute, too

The suite is loaded once, with primary keys only, and kept.  The relative cost is the sum of the planner's costs with
the indexes built by the sum without them.  TPC-H's changed queries are executed in turns, without and with them.  The
settings are those of the measured peers: everything in memory, one backend that does all the work.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.advisor.paired import Bench, Pair, slower
from bench.advisor.redundant import Built, built, redundant
from bench.fidelity.suites import CACHE, SUITES, Suite
from premortem import catalog, pg
from premortem.errors import PremortemError
from premortem.model import Values

SETTINGS: dict[str, str | int | float | bool] = {
    "shared_buffers": "2GB", "effective_cache_size": "8GB", "work_mem": "64MB", "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB", "random_page_cost": 1.1, "jit": False, "max_parallel_workers_per_gather": 0,
    "autovacuum": False,
}  # fmt: skip
#: Those that cost more than all others together and hide every other difference;
#: Kossmann et al. (VLDB 2020) leave such queries out, too.
APART = {
    "tpch": ("Q2", "Q17", "Q20"),
    "tpcds": ("Q4", "Q6", "Q9", "Q10", "Q11", "Q32", "Q35", "Q41", "Q95"),
}
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the advisor said: statements to run, the seconds that it took, and its own figures."""

    statements: tuple[str, ...]
    seconds: float = 0.0
    cpu: float = 0.0
    claimed: float | None = None
    claimed_bytes: int | None = None
    refuted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One case: a suite, a server, a budget, and everything that was measured."""

    suite: str
    server: str
    budget: str
    seconds: float
    cpu: float
    claimed: float | None
    claimed_bytes: int | None
    indexes: tuple[Built, ...]
    redundant: tuple[str, ...]
    costs: dict[str, tuple[float, float]]
    refuted: tuple[str, ...] = ()
    plans: dict[str, tuple[str, str]] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = field(default_factory=tuple)

    @property
    def relative_cost(self) -> float:
        """Costs with the indexes by costs without."""
        return sum(after for _, after in self.costs.values()) / sum(before for before, _ in self.costs.values())

    @property
    def size_bytes(self) -> int:
        """What the indexes take on disk."""
        return sum(i.size_bytes for i in self.indexes)


# the server -------------------------------------------------------------------------------------------------------


@contextmanager
def opened(suite: Suite, major: int, data: Path) -> Iterator[pg.Server]:
    """Yield the server that has the suite, which is loaded if it is not there."""
    is_new = not (data / "PG_VERSION").is_file()
    data.parent.mkdir(parents=True, exist_ok=True)
    with pg.start(pg.installation(major), data_directory=data, keep=True, settings=SETTINGS) as server:
        with pg.writer(server, purpose="bench") as db:
            if is_new:
                suite.load(db)
            swept(db)
            db.execute("CHECKPOINT")
            if not visible(db):  # a vacuum right after a load finds rows whose commits are not on disk yet
                db.execute("VACUUM (FREEZE, ANALYZE)")
        yield server


def visible(db: pg.Session) -> bool:
    """Whether index-only scans are possible everywhere."""
    return bool(
        db.value("SELECT bool_and(relallvisible >= relpages) FROM pg_class WHERE relkind = 'r' AND oid >= 16384")
    )


def swept(db: pg.Session) -> None:
    """Drop what an earlier run left: every index that is no constraint's."""
    for name in db.values(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indexrelid >= 16384 AND NOT EXISTS"
        " (SELECT FROM pg_constraint c WHERE c.conindid = indexrelid)"
        " AND indrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)"
    ):
        db.execute(f"DROP INDEX IF EXISTS {name}")


def staging(server: pg.Server) -> str:
    """Say that the server is a staging copy, as its owner may, and return how to connect."""
    with pg.writer(server, purpose="bench") as db:
        db.execute("ALTER DATABASE postgres SET premortem.role = 'staging'")
    return server.dsn()


def profiled(server: pg.Server, file: Path) -> Path:
    """Pull the profile, once."""
    if not file.exists():
        with pg.session(server, purpose="bench") as db:
            catalog.write(catalog.pull(db, values=Values.ALL), file)
    return file


# the advisor ------------------------------------------------------------------------------------------------------


def advised(profile: Path, folder: Path, budget: str, more: Sequence[str]) -> Asked:
    """Ask the command, as a user would."""
    command = [sys.executable, "-m", "premortem", "advise", "-p", str(profile), str(folder), "--format", "json", *more]
    if budget != "none":
        command += ["--budget", budget]
    started, spent = time.perf_counter(), _spent()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, cpu = time.perf_counter() - started, _spent() - spent
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with {ran.returncode}:\n{ran.stderr}")
    told = json.loads(ran.stdout)
    statements = [s for r in told["recommendations"] for s in r["statements"]]
    summary = told["summary"]
    return Asked(
        statements=tuple(statements), seconds=seconds, cpu=cpu, claimed=summary["relative_cost"],
        claimed_bytes=summary["size_bytes"], refuted=tuple(told["refuted"]),
    )  # fmt: skip


def _spent() -> float:
    """Return the processor seconds of what was run and has ended: the command's own, not its servers'."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def given(file: Path) -> Asked:
    """Return the statements of a file."""
    return Asked(statements=tuple(s.strip() for s in file.read_text().split(";\n") if "INDEX" in s.upper()))


def create(db: pg.Session, statements: Sequence[str]) -> None:
    """Build the indexes; nobody else is there to be blocked."""
    for statement in statements:
        db.execute(re.sub(r"\bCONCURRENTLY\b", "", statement, count=1, flags=re.I))
    db.execute("CHECKPOINT")


# measuring --------------------------------------------------------------------------------------------------------


def explained(db: pg.Session, queries: dict[str, str]) -> dict[str, tuple[float, str]]:
    """Return each query's cost and plan; those that cannot be planned are left out."""
    found = {}
    for name, text in queries.items():
        try:
            plan = db.value(f"EXPLAIN (FORMAT JSON) {text}")[0]["Plan"]
        except PremortemError as error:
            print(f"{name}: {error.message}", file=sys.stderr)
            continue
        found[name] = (plan["Total Cost"], json.dumps(plan, sort_keys=True))
    return found


def measure(
    server: pg.Server, queries: dict[str, str], asked: Asked, options: argparse.Namespace, budget: str
) -> Result:
    """Build what was asked for, plan and execute without and with it, and drop it again."""
    with pg.writer(server, purpose="bench") as db:
        create(db, asked.statements)
        indexes = built(db)
        bench = Bench(db, tuple(i.name for i in indexes), options.limit, options.repeat)
        bench.show(False)
        before = explained(db, queries)
        bench.show(True)
        after = explained(db, queries)
        pairs = () if options.estimates else tuple(executed(bench, queries, before, after))
        bench.show(True)
        found = Result(
            suite=options.suite, server=server.installation.version, budget=budget,
            seconds=asked.seconds, cpu=asked.cpu, claimed=asked.claimed, claimed_bytes=asked.claimed_bytes,
            indexes=indexes, redundant=redundant(db),
            costs={n: (before[n][0], after[n][0]) for n in before if n in after}, pairs=pairs, refuted=asked.refuted,
            plans={n: (before[n][1], after[n][1]) for n in before if n in after},
        )  # fmt: skip
        swept(db)
        return found


def executed(
    bench: Bench, queries: dict[str, str], before: dict[str, tuple[float, str]], after: dict[str, tuple[float, str]]
) -> Iterator[Pair]:
    """Yield every query's times, those whose plan changed in turns."""
    for name, text in queries.items():
        if name in before and name in after:
            changed = before[name][1] != after[name][1]
            found = bench.pair(name, text) if changed else bench.alone(name, text)
            print(f"  {name}: {row(found, before[name][0], after[name][0])}", file=sys.stderr)
            yield found


# saying -----------------------------------------------------------------------------------------------------------


def row(pair: Pair, before: float, after: float) -> str:
    cpu, clock = pair.cpu, pair.clock
    told = "slower" if pair.is_slower else ""
    return (
        f"cost {before:,.0f} → {after:,.0f} ({after / before:.2f}), CPU {cpu[0]:.3f} → {cpu[1]:.3f} s"
        f" ({cpu[1] / max(cpu[0], 1e-6):.2f}), clock {clock[0]:.3f} → {clock[1]:.3f} s {told}"
    )


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the results as a Markdown table."""
    heads = ("suite, PostgreSQL", "budget", "indexes", "MB: estimated → built", "advisor: s, of its CPU")
    yield f"| {' | '.join((*heads, 'cost: estimated → built', 'CPU', 'slower', 'redundant'))} |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|---|"
    for one in results:
        cpu = [p.cpu for p in one.pairs]
        share = f"{sum(b for _, b in cpu) / sum(a for a, _ in cpu):.3f}" if cpu else "–"
        claimed = "" if one.claimed is None else f"{one.claimed:.3f} → "
        size = "" if one.claimed_bytes is None else f"{one.claimed_bytes / _MB:,.0f} → "
        yield (
            f"| {one.suite} {one.server} | {one.budget} | {len(one.indexes)} | {size}{one.size_bytes / _MB:,.0f}"
            f" | {one.seconds:.1f}, {one.cpu:.1f} | {claimed}{one.relative_cost:.3f} | {share}"
            f" | {', '.join(slower(one.pairs)) or '–'} | {', '.join(one.redundant) or '–'} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=("tpch", "tpcds"), default="tpch")
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--budget", action="append", help="such as 250MB, or none; may be repeated")
    parser.add_argument("--data", type=Path, help="the data directory (default: in bench/.cache)")
    parser.add_argument("--indexes", type=Path, help="a file of CREATE INDEX statements, in place of the advisor's")
    parser.add_argument("--apart", action="store_true", help="advise and score the queries that are left out otherwise")
    parser.add_argument("--mirror", action="store_true", help="let the advisor execute there what it chooses")
    parser.add_argument("--estimates", action="store_true", help="do not execute (always so for TPC-DS)")
    parser.add_argument("--repeat", type=int, default=5, help="executions of each side (default: 5)")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that an execution may take")
    parser.add_argument("--advise", action="append", default=[], help="a further option for premortem advise")
    options = parser.parse_args()
    options.estimates = options.estimates or options.suite == "tpcds"
    suite = SUITES[options.suite](options.scale, only="primary key")
    place = CACHE / "advisor"
    data = options.data or place / f"{options.suite}-{options.scale}-{options.major}"
    chosen = {n: q for n, q in suite.queries.items() if (n in APART[options.suite]) == options.apart}
    folder = place / f"{data.name}{'-apart' if options.apart else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.sql"):
        old.unlink()
    for name, text in chosen.items():
        (folder / f"{name}.sql").write_text(text + ";\n")
    results = []
    with opened(suite, options.major, data) as server:
        profile = profiled(server, data.with_name(f"{data.name}.profile"))
        for budget in options.budget or ["none"]:
            more = [*options.advise, *(("--mirror", staging(server)) if options.mirror else ())]
            asked = given(options.indexes) if options.indexes else advised(profile, folder, budget, more)
            print("\n".join((*asked.refuted, *asked.statements)), file=sys.stderr)
            results.append(measure(server, chosen, asked, options, budget))
            kept = place / f"{options.suite}-{options.major}-{budget}-results.json"
            kept.write_text(json.dumps(asdict(results[-1]), indent=1))
            print("\n".join(table(results[-1:])), file=sys.stderr)
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
