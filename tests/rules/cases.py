"""The rules' cases: one Markdown file each, which is example, test and page at once."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from premortem import catalog, pg, plans, rules, sources
from premortem.catalog import codec
from premortem.model import (
    Connections,
    Finding,
    ObjectKind,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Query,
    Repeats,
    Setting,
    Site,
    Table,
    TableActivity,
    Values,
    Workload,
)

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
BLOCKS = ("schema", "limits", "facts", "fires", "finding", "remedy", "quiet")
_BLOCK = re.compile(r"^```(?:sql|text|toml) (?P<name>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
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
    def limits(self) -> rules.Limits:
        """The thresholds that keep an example small."""
        return rules.limits({self.rule: tomllib.loads(self.only("limits"))})

    @property
    def facts(self) -> dict[str, Any]:
        """What production counted and a fresh database has not; `remedied` is what it counts afterwards."""
        return tomllib.loads(self.only("facts"))

    @property
    def judges_schema(self) -> bool:
        found = (r.kind for r in rules.RULES if r.name == self.rule)
        return next(found, None) is rules.Kind.SCHEMA

    @property
    def judges_executions(self) -> bool:
        """Whether the case holds executed plans, as somebody pastes them, and no queries."""
        return any(r.needs_analyze for r in rules.RULES if r.name == self.rule)

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
            yield replace(query, **_query_facts(case, step))


def _query_facts(case: Case, step: str) -> dict[str, Any]:
    said = dict(case.facts.get("query", {}))
    if "repeats" in said:
        told = dict(said.pop("repeats"))
        site = Site(**told.pop("site")) if "site" in told else None
        said |= {"repeats": Repeats(**told, site=site)} if step != "remedy" else {}
    if "mean_ms" in said:
        said["mean_time"] = timedelta(milliseconds=said.pop("mean_ms"))
    return said


def as_told(profile: Profile, facts: dict[str, Any]) -> Profile:
    """The profile with what a case says of production."""
    settings = {s.name: s for s in profile.settings}
    for name, value in facts.get("settings", {}).items():
        settings[name] = Setting(name=name, value=value)
    tables = tuple(_table_as_told(t, facts) for t in profile.tables)
    return replace(profile, settings=tuple(settings.values()), tables=tables)


def _table_as_told(table: Table, facts: dict[str, Any]) -> Table:
    said = dict(facts.get("tables", {}).get(table.name, {}))
    indexes = {**{i.name: {} for i in table.indexes}, **facts.get("indexes", {})}
    if "window_days" in said:
        said["window"] = timedelta(days=said.pop("window_days"))
    if "grows" in said:
        by = said.pop("grows")
        said |= {"tuples": table.tuples * by, "pages": table.pages * by, "relation_pages": table.relation_pages * by}
    counted = {k: said.pop(k) for k in list(said) if k in {f.name for f in fields(TableActivity)}}
    return replace(
        table,
        **said,
        activity=replace(table.activity, **counted),
        indexes=tuple(replace(i, **indexes[i.name]) for i in table.indexes),
    )


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
    found = [f for f in rules.find(planned, query, as_told(profile, case.facts), case.limits) if f.rule == case.rule]
    return Told(step=step, lines=[line for f in found for line in as_written(f)], keys=[f.key for f in found])


def told_of_schema(step: str, case: Case, profile: Profile) -> Told:
    facts = case.facts | case.facts.get("remedied", {}) if step == "remedied" else case.facts
    found = [f for f in rules.find_schema(as_told(profile, facts), case.limits) if f.rule == case.rule]
    return Told(step=step, lines=[line for f in found for line in as_written(f)], keys=[f.key for f in found])


def as_written(finding: Finding) -> list[str]:
    return [f"{finding.severity.value} {finding.key}", finding.says]


_PLANNING = frozenset({"effective_cache_size", "work_mem", "hash_mem_multiplier", "jit"})


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
        objects=tuple(o for o in pulled.objects if o.kind in (ObjectKind.FUNCTION, ObjectKind.DOMAIN)),
        role_settings=(),
        settings=tuple(s for s in pulled.settings if "cost" in s.name or s.name in _PLANNING),
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
    """A case's profile and plans on one server version, before and after its remedy.

    `fired` is the profile of a schema that a case has made wrong; `before` then is the one that all is well with.
    """

    before: Profile
    after: Profile | None
    fired: Profile | None = None
    plans: dict[str, list[Any]]


def record(case: Case, dsn: str) -> Recording:
    found: dict[str, list[Any]] = {}
    with pg.writer(dsn, purpose="test") as db:
        db.execute("SET default_statistics_target = 40; SET max_parallel_workers_per_gather = 0; SET jit = off")
        db.execute(case.only("schema"))
        if case.judges_schema:
            return _record_schema(case, db, dsn)
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


def _record_schema(case: Case, db: pg.Session, dsn: str) -> Recording:
    """A schema's case is a story: all that is quiet, then what fires, then what cures it."""
    found = {}
    for block in ("quiet", "fires", "remedy"):
        for text in case.blocks.get(block, []):
            for statement in text.split(";\n"):
                db.execute(statement)
        db.execute("VACUUM ANALYZE")
        found[block] = profile_of(dsn)
    return Recording(before=found["quiet"], fired=found["fires"], after=found["remedy"], plans={})


def bare(plan: Plan) -> Any:
    """A plan as EXPLAIN's JSON, to be kept."""
    return {"Plan": _json(plan.root), "Settings": dict(plan.settings)}


def _json(node: Any) -> Any:
    return {**node.raw, **({"Plans": [_json(c) for c in node.children]} if node.children else {})}


def findings(case: Case, recording: Recording) -> Iterator[Told]:
    """What the rule says of each recorded plan, in the order of the case."""
    if recording.fired is not None and recording.after is not None:
        yield told_of_schema("fires", case, recording.fired)
        yield told_of_schema("quiet", case, recording.before)
        yield told_of_schema("remedied", case, recording.after)
        return
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
        **({"fired": codec.encode(recording.fired)} if recording.fired else {}),
        "plans": recording.plans,
    }
    text = json.dumps(kept, indent=None, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    path_of(case, major).write_text(text.replace('},{"', '},\n{"') + "\n")


def load(case: Case, major: int) -> Recording:
    kept = json.loads(path_of(case, major).read_text())
    return Recording(
        before=codec.decode(Profile, kept["before"]),
        after=codec.decode(Profile, kept["after"]) if kept["after"] else None,
        fired=codec.decode(Profile, kept["fired"]) if kept.get("fired") else None,
        plans=kept["plans"],
    )
