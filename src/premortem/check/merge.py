"""One finding for one thing, however many parameter sets show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from premortem.model import Evidence, Finding, Planned, Severity

_RANK = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A finding in the plan of one parameter set."""

    finding: Finding
    planned: Planned
    worst_cost: float

    @property
    def parameters(self) -> str:
        """The name of the parameter set."""
        return self.planned.parameters.name

    @property
    def weight(self) -> tuple[int, bool, float]:
        """What makes one sighting worse than another: severity, real values before the generic plan, the full cost."""
        return _RANK[self.finding.severity], not self.planned.parameters.is_generic, self.worst_cost


def by_key(sightings: Iterable[Sighting]) -> dict[str, tuple[Sighting, ...]]:
    """Return the sightings of each finding, in the order in which the findings were first seen."""
    grouped: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        grouped.setdefault(sighting.finding.key, []).append(sighting)
    return {key: tuple(group) for key, group in grouped.items()}


def merged(group: Sequence[Sighting], among: Iterable[str] | None = None) -> Finding:
    """Return the worst of the sightings of one finding, the parameter sets that show it named in its evidence.

    `among` narrows the choice to the parameter sets of those names, where any of them shows the finding.
    """
    names = set(among or ())
    worst = max([s for s in group if s.parameters in names] or group, key=lambda s: s.weight)
    shown = tuple(dict.fromkeys(s.parameters for s in group))
    finding = replace(worst.finding, parameters=worst.parameters)
    if len(shown) < 2:
        return finding
    evidence = Evidence.plan("parameter sets that show it", ", ".join(shown))
    return replace(finding, evidence=(*finding.evidence, evidence))


def worst_severity(findings: Iterable[Finding]) -> Severity | None:
    """Return the worst severity of the findings, None where there are none."""
    return max((f.severity for f in findings), key=_RANK.__getitem__, default=None)
