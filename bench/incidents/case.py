"""A case: one public incident, or one query that is fine, rebuilt with its own names, so a proposal can be executed.

The tool under test is shown the database's profile and `query`, and nothing else.
`parameters` and `reference_index` belong to the judge.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
REQUIRED = {"source", "kind", "story", "schema", "data", "query", "parameters"}
OPTIONAL = {"reference_index", "why_quiet", "majors"}
PLACEHOLDER = re.compile(r"\$(\d+)")
WRITES = re.compile(r"^\s*(insert|update|delete|merge)\b|\(\s*(insert|update|delete|merge)\b", re.IGNORECASE)


class CaseError(Exception):
    """A case file that breaks the rules of its own folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of `cases/`, read and checked."""

    name: str
    source: str
    kind: str
    story: str
    schema: str
    data: str
    query: str
    parameters: Mapping[str, tuple[str, ...]]
    reference_index: tuple[str, ...]
    why_quiet: str
    majors: tuple[int, ...]

    @property
    def is_incident(self) -> bool:
        """Whether an index is missing here."""
        return self.kind == "incident"

    @property
    def writes(self) -> bool:
        """Whether the query changes rows, so that it has to be rolled back and triggers have to be counted."""
        return WRITES.search(self.query) is not None

    @property
    def digest(self) -> str:
        """A short name of schema and data: the same digest is the same database."""
        return hashlib.sha256((self.schema + "\0" + self.data).encode()).hexdigest()[:10]

    @property
    def measure_digest(self) -> str:
        """A short name of all that the judge's own measurements depend on."""
        parts = (self.digest, self.query, repr(sorted(self.parameters.items())), repr(self.reference_index))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def database(self) -> str:
        """The name of the case's database."""
        return f"{self.name.replace('-', '_')[:48]}_{self.digest}"


def read(path: Path) -> Case:
    """The case in one file, or a CaseError that names what is wrong."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    keys = set(raw)
    if keys - REQUIRED - OPTIONAL or REQUIRED - keys:
        raise CaseError(f"{path.name}: unknown {sorted(keys - REQUIRED - OPTIONAL)}, missing {sorted(REQUIRED - keys)}")
    case = Case(
        name=path.stem,
        source=raw["source"],
        kind=raw["kind"],
        story=raw["story"].strip(),
        schema=raw["schema"],
        data=raw["data"],
        query=raw["query"].strip(),
        parameters={name: tuple(values) for name, values in raw["parameters"].items()},
        reference_index=tuple(raw.get("reference_index", ())),
        why_quiet=raw.get("why_quiet", ""),
        majors=tuple(raw.get("majors", ())),
    )
    _check(case)
    return case


def _check(case: Case) -> None:
    placeholders = {int(number) for number in PLACEHOLDER.findall(case.query)}
    if case.kind not in {"incident", "quiet"}:
        raise CaseError(f"{case.name}: kind is {case.kind!r}")
    if case.is_incident != bool(case.reference_index):
        raise CaseError(f"{case.name}: an incident has a reference_index, a quiet case has none")
    for name, values in case.parameters.items():
        if len(values) != len(placeholders):
            raise CaseError(f"{case.name}: parameters.{name} has {len(values)} values, not {len(placeholders)}")


def read_all(only: tuple[str, ...] = ()) -> tuple[Case, ...]:
    """Every case, or those whose name contains one of `only`, in the order of their names."""
    paths = sorted(CASES.glob("*.toml"))
    return tuple(read(path) for path in paths if not only or any(part in path.stem for part in only))
