"""The rules' cases: one Markdown file each, which is example, test and page at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from premortem import catalog, pg, plans, rules, sources
from premortem.catalog import codec
from premortem.model import (
    Connections,
    Finding,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Query,
    Site,
    Table,
    TableActivity,
    Values,
    Workload,
)

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
BLOCKS = ("schema", "fires", "finding", "remedy", "quiet")
_BLOCK = re.compile(r"^```(?:sql|text) (?P<name>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANGES = re.compile(r"\s*(?:create|alter|drop|reindex|analyze)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One rule's example."""

    name: str
    prose: str
    blocks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        return self.name.replace("_", "-")

    def only(self, block: str) -> str:
        return self.blocks.get(block, [""])[0]

    @property
    def remedy_is_a_query(self) -> bool:
        return bool(self.only("remedy")) and not _CHANGES.match(self.only("remedy"))


def cases() -> list[Case]:
    return [read(path) for path in sorted(HERE.glob("*.md"))]


def read(path: Path) -> Case:
    text = path.read_text()
    blocks: dict[str, list[str]] = {}
    for match in _BLOCK.finditer(text):
        blocks.setdefault(match["name"], []).append(match["body"].strip())
    return Case(name=path.stem, prose=text, blocks=blocks)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a rule says of the plans of one step of a case: its findings as the case writes them."""

    step: str
    lines: list[str]
    keys: list[str]


def queries(case: Case, step: str) -> Iterator[Query]:
    for text in case.blocks.get(step, []):
        for query in sources.text(text, Site(source=f"{case.name}.md")):
            assert isinstance(query, Query), query
            yield query


def steps(case: Case) -> Iterator[tuple[str, Query]]:
    """The queries of a case before its remedy, with what each is for."""
    for step in ("fires", "quiet"):
        for query in queries(case, step):
            yield step, query
    if case.remedy_is_a_query:
        for query in queries(case, "remedy"):
            yield "remedied", query


def told(step: str, case: Case, query: Query, plan: Plan, profile: Profile) -> Told:
    planned = Planned(parameters=ParameterSet(name="literal"), plan=plan)
    found = [f for f in rules.find(planned, query, profile) if f.rule == case.rule]
    return Told(step=step, lines=[line for f in found for line in as_written(f)], keys=[f.key for f in found])


def as_written(finding: Finding) -> list[str]:
    return [f"{finding.severity.value} {finding.key}", finding.says]


# --- live -----------------------------------------------------------------------------------------------------------


def explained(db: pg.Session, query: Query) -> Plan:
    with db.rolled_back():
        return plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS) {query.text}"))


def profile_of(dsn: str) -> Profile:
    """The profile without what differs between two runs."""
    with pg.session(dsn, purpose="test") as db:
        pulled = catalog.pull(db, values=Values.ALL)
    major = pulled.server.major
    server = replace(pulled.server, database="case", role="case", version=str(major), version_num=major * 10_000)
    return replace(
        pulled,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        workload=Workload(),
        connections=Connections(),
        gaps=(),
        server=server,
        extensions=(),
        objects=(),
        role_settings=(),
        settings=tuple(s for s in pulled.settings if "cost" in s.name or s.name == "effective_cache_size"),
        tables=tuple(_steady(t) for t in pulled.tables),
    )


def _steady(table: Table) -> Table:
    return replace(
        table,
        activity=TableActivity(),
        all_visible=0,
        indexes=tuple(replace(i, scans=None, scans_per_second=None, last_used=None) for i in table.indexes),
        columns=tuple(
            replace(c, statistics=tuple(s for s in c.statistics if not s.inherited))  # of a sample that differs
            for c in table.columns
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A case's profile and plans on one server version, before and after its remedy."""

    before: Profile
    after: Profile | None
    plans: dict[str, list[Any]]


def record(case: Case, dsn: str) -> Recording:
    found: dict[str, list[Any]] = {}
    with pg.writer(dsn, purpose="test") as db:
        db.execute("SET default_statistics_target = 40; SET max_parallel_workers_per_gather = 0; SET jit = off")
        db.execute(case.only("schema"))
        db.execute("VACUUM ANALYZE")
        before = profile_of(dsn)
        for step, query in steps(case):
            found.setdefault(step, []).append(bare(explained(db, query)))
        if not case.only("remedy") or case.remedy_is_a_query:
            return Recording(before=before, after=None, plans=found)
        db.execute(case.only("remedy"))
        db.execute("ANALYZE")
        found["remedied"] = [bare(explained(db, query)) for query in queries(case, "fires")]
        return Recording(before=before, after=profile_of(dsn), plans=found)


def bare(plan: Plan) -> Any:
    """A plan as EXPLAIN's JSON, to be kept."""
    return {"Plan": _json(plan.root), "Settings": dict(plan.settings)}


def _json(node: Any) -> Any:
    return {**node.raw, **({"Plans": [_json(c) for c in node.children]} if node.children else {})}


def findings(case: Case, recording: Recording) -> Iterator[Told]:
    """What the rule says of each recorded plan, in the order of the case."""
    for step in ("fires", "quiet", "remedied"):
        after = step == "remedied" and not case.remedy_is_a_query
        asked = queries(case, "fires" if after else "remedy" if step == "remedied" else step)
        profile = (recording.after if after else recording.before) or recording.before
        if not recording.plans.get(step):
            continue
        for query, kept in zip(asked, recording.plans[step], strict=True):
            yield told(step, case, query, plans.parse_json(kept), profile)


# --- files ----------------------------------------------------------------------------------------------------------


def path_of(case: Case, major: int) -> Path:
    return RECORDED / f"{case.name}-{major}.json"


def write(case: Case, major: int, recording: Recording) -> None:
    kept = {
        "before": codec.encode(recording.before),
        "after": codec.encode(recording.after) if recording.after else None,
        "plans": recording.plans,
    }
    text = json.dumps(kept, indent=None, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    path_of(case, major).write_text(text.replace('},{"', '},\n{"') + "\n")


def load(case: Case, major: int) -> Recording:
    kept = json.loads(path_of(case, major).read_text())
    return Recording(
        before=codec.decode(Profile, kept["before"]),
        after=codec.decode(Profile, kept["after"]) if kept["after"] else None,
        plans=kept["plans"],
    )
