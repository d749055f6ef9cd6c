"""Judges premortem on real incidents: it sees `$1` text and a profile; its indexes are built and executed.

python bench/incidents/run.py                 every case, and writes SCORE.md
python bench/incidents/run.py --only outbox   the cases whose name contains a word
python bench/incidents/run.py --validate      is every case sound: does it hurt, does its reference index cure it
python bench/incidents/run.py --state DIR     keep the loaded databases in DIR for the next run
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import judge
import measure
import obvious
import psycopg
import score
import server
from case import Case, read_all
from measure import Reading

COMMAND = (str(Path(sys.executable).parent / "premortem"),)
CREATES = ("create index", "create unique index", "create extension", "create statistics", "drop index", "analyze")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a case reads without help, with its reference index, and with every obvious index."""

    before: Mapping[str, Reading]
    reference: Mapping[str, Reading]
    reference_bytes: int


def baseline(cluster: server.Cluster, case: Case) -> Baseline:
    """The judge's own measurements, made once per content of the case and kept beside the data."""
    kept = cluster.root / f"baseline{cluster.major}-{case.measure_digest}.json"
    if kept.exists():
        return _baseline_from(json.loads(kept.read_text()))
    found = _measured_baseline(cluster, case)
    kept.write_text(json.dumps(asdict(found)))
    return found


def _baseline_from(raw: dict[str, dict[str, dict[str, float]]]) -> Baseline:
    sides = {
        side: {
            name: Reading(buffers=int(r["buffers"]), milliseconds=r["milliseconds"]) for name, r in raw[side].items()
        }
        for side in ("before", "reference")
    }
    return Baseline(before=sides["before"], reference=sides["reference"], reference_bytes=int(raw["reference_bytes"]))  # type: ignore[call-overload]


def _measured_baseline(cluster: server.Cluster, case: Case) -> Baseline:
    with server.clone(cluster, case, "base") as name, cluster.connect(name) as db:
        before = measure.readings(db, case)
        if case.writes:
            db.execute("vacuum")
        statements = case.reference_index or tuple(obvious.indexes(db, case.query))
        added = measure.apply(db, statements)
        return Baseline(before=before, reference=measure.readings(db, case), reference_bytes=added)


def validated(cluster: server.Cluster, case: Case) -> score.Row:
    """Whether the case itself is sound."""
    server.load(cluster, case)
    base = baseline(cluster, case)
    verdict = judge.sound(base.before, base.reference) if case.is_incident else judge.calm(base.before, base.reference)
    if not case.is_incident and case.why_quiet and not verdict.good:
        verdict = judge.Verdict(good=True, says=f"{verdict.says}, but {case.why_quiet}")
    return score.row(
        case,
        verdict,
        before=base.before,
        reference=base.reference,
        after=base.reference,
        indexes=(),
        added_bytes=base.reference_bytes,
    )


def judged(cluster: server.Cluster, case: Case) -> score.Row:
    """What the tool under test makes of the case."""
    server.load(cluster, case)
    base = baseline(cluster, case)
    answer = ask(cluster, case)
    empty = score.row(
        case,
        judge.Verdict(good=False, says=answer.says),
        before=base.before,
        reference=base.reference,
        after=base.before,
        indexes=answer.statements,
        added_bytes=0,
    )
    if not answer.statements:
        quiet = not case.is_incident and answer.exit_code == 0
        return replace(empty, good=quiet, says="quiet" if quiet else answer.says or "no proposal")
    return _executed(cluster, case, base, answer, empty)


def _executed(cluster: server.Cluster, case: Case, base: Baseline, answer: Answer, empty: score.Row) -> score.Row:
    try:
        after, added = _with_proposals(cluster, case, answer.statements)
    except psycopg.Error as error:
        return replace(empty, says=f"a proposal is refused: {str(error).splitlines()[0]}")
    verdict = (
        judge.caught(base.before, base.reference, after)
        if case.is_incident
        else judge.Verdict(good=False, says="a proposal where none is wanted")
    )
    return score.row(
        case,
        verdict,
        before=base.before,
        reference=base.reference,
        after=after,
        indexes=answer.statements,
        added_bytes=added,
    )


def _with_proposals(
    cluster: server.Cluster,
    case: Case,
    statements: Iterable[str],
) -> tuple[Mapping[str, Reading], int]:
    with server.clone(cluster, case, "try") as name, cluster.connect(name) as db:
        added = measure.apply(db, statements)
        return measure.readings(db, case), added


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `premortem check` said of a query."""

    exit_code: int
    statements: tuple[str, ...]
    says: str


def ask(cluster: server.Cluster, case: Case) -> Answer:
    """Pull the profile, check the text of the query on standard input, and read the remedies from the JSON."""
    with tempfile.TemporaryDirectory(prefix="incident-") as folder:
        profile = Path(folder) / "prod.profile"
        pulled = _call("profile", "pull", cluster.dsn(case.database), "-o", str(profile))
        if pulled.returncode:
            return Answer(exit_code=3, statements=(), says=f"profile pull failed: {_last_line(pulled.stderr)}")
        checked = _call("check", "-p", str(profile), "--format", "json", "-", text=case.query)
    try:
        report = json.loads(checked.stdout)
    except json.JSONDecodeError:
        return Answer(exit_code=checked.returncode, statements=(), says=f"no JSON: {_last_line(checked.stderr)}")
    statements = tuple(_statements(report))
    says = "" if statements else f"verdict {report.get('verdict')}, exit {checked.returncode}"
    return Answer(exit_code=checked.returncode, statements=statements, says=says)


def _call(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([*COMMAND, *arguments], input=text, capture_output=True, text=True, timeout=300)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(arguments, 3, "", str(error))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing said"])[-1][:160]


def _statements(report: dict[str, list[dict[str, list[dict[str, dict[str, list[str]]]]]]]) -> list[str]:
    found: dict[str, None] = {}
    for query in report["queries"]:
        for finding in query["findings"]:
            for statement in (finding.get("remedy") or {}).get("sql", ()):
                if " ".join(statement.lower().split()).startswith(CREATES):
                    found[statement.strip().rstrip(";")] = None
    creates = [one for one in found if "index" in one.lower().split()[:3]]
    return list(found) if creates else []


def _stepped(step: Callable[[server.Cluster, Case], score.Row], cluster: server.Cluster, case: Case) -> score.Row:
    try:
        return step(cluster, case)
    except (psycopg.Error, server.LoadError) as error:
        verdict = judge.Verdict(good=False, says=f"the case is broken: {str(error).splitlines()[0]}")
        nothing = dict.fromkeys(case.parameters, Reading(buffers=0, milliseconds=0))
        return score.row(case, verdict, before=nothing, reference=nothing, after=nothing, indexes=(), added_bytes=0)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="cases whose name contains NAME")
    parser.add_argument("--kind", choices=("incident", "quiet"))
    parser.add_argument("--validate", action="store_true", help="judge the cases, not the tool")
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--state", type=Path, help="keep cluster, databases and baselines in this folder")
    parser.add_argument("--score", type=Path, help="write the score to this file (default: SCORE.md, on a full run)")
    return parser.parse_args()


def main() -> int:
    """Run, print a table, and say with the exit code whether everything was as wanted."""
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not options.validate and not shutil.which(COMMAND[0]):
        raise SystemExit(f"{COMMAND[0]} is not there: install the package into this environment")
    cases = [
        case
        for case in read_all(tuple(options.only))
        if options.kind in (None, case.kind) and (not case.majors or options.major in case.majors)
    ]
    step = validated if options.validate else judged
    with server.running(options.major, options.state) as cluster, ThreadPoolExecutor(options.jobs) as pool:
        rows = []
        for row in pool.map(lambda case: _stepped(step, cluster, case), cases):
            print(score.line(row), flush=True)
            rows.append(row)
    print(score.totals(rows, score.VALIDATED if options.validate else score.JUDGED))
    full = not (options.only or options.kind or options.validate)
    target = options.score or (Path(__file__).parent / "SCORE.md" if full else None)
    if target:
        target.write_text(score.page(rows, options.major))
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
