"""What a step is told besides the sample: what others read, remember or worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from premortem.model import Baseline, PlanSeen, Statement, StatementKey, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known besides a sample.

    `statements` says what the entries of pg_stat_statements are: of every key that moved, and of those that sessions
    run.  `running` says it of sessions by their pid, where it is known better than from their texts.
    `first_seen` is by fingerprint and never expires; `watched_since` is when this instance was first sampled, ever.
    `baselines` are what is usual, from history, of all statements that have one: of one that is left out nothing rises.
    `plans` are the newest plans that were seen of statements.
    """

    statements: Mapping[StatementKey, Statement] = field(default_factory=lambda: MappingProxyType({}))
    running: Mapping[int, Statement] = field(default_factory=lambda: MappingProxyType({}))
    first_seen: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    watched_since: datetime | None = None
    baselines: Mapping[Subject, Baseline] = field(default_factory=lambda: MappingProxyType({}))
    plans: Mapping[Subject, PlanSeen] = field(default_factory=lambda: MappingProxyType({}))
