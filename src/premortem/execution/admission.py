"""Where queries may be executed: on a mirror, or on a copy that its owner calls staging; never in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from premortem import words
from premortem.errors import TargetRefused
from premortem.mirror.manifest import Manifest, Stage
from premortem.mirror.target import PRODUCTION, STAGING, Facts
from premortem.model import Gap, Profile, RelationName

#: A table with this share of production's rows is as good as all of it.
WHOLE = 0.5
_FEW_ROWS = 10_000


def refusal(facts: Facts, profile: Profile, manifest: Manifest | None) -> TargetRefused | None:
    """Return why nothing may be executed there, None where it may."""
    database = facts.database
    mark = f"ALTER DATABASE {database} SET premortem.role = '{STAGING}'"
    if facts.role == PRODUCTION:
        return TargetRefused(
            f"database {database} says that it is production (premortem.role = {PRODUCTION}), and only its applications"
            " execute queries there",
            hint="name the mirror: premortem mirror build",
        )
    same = facts.system_identifier and facts.system_identifier == profile.server.system_identifier
    if same and facts.role != STAGING:
        return TargetRefused(
            "that server is the one that the profile was taken from, or a physical copy of it",
            hint=f"where it is a copy made for staging, say so: {mark}",
        )
    if facts.in_recovery or facts.read_only:
        what = "is a replica in recovery" if facts.in_recovery else "is read-only"
        return TargetRefused(f"the server {what}, so no index can be tried there", hint="name a primary of its own")
    if manifest is None and facts.role != STAGING:
        return TargetRefused(
            f"database {database} was not made by premortem, and nobody said what it is",
            hint=f"premortem mirror build --to an empty database; or, for a staging copy of yours: {mark}",
        )
    if manifest is not None and manifest.stage is not Stage.COMPLETE:
        return TargetRefused(
            f"the mirror was not finished (it got as far as the {manifest.stage.value} stage)",
            hint="finish it: premortem mirror build --resume",
        )
    return None


def gaps(
    profile: Profile, manifest: Manifest | None, version_num: int, present: Mapping[RelationName, float]
) -> Iterator[Gap]:
    """Yield what makes the mirror answer otherwise than production."""
    if version_num // 10_000 != profile.server.major:
        yield Gap(
            subject="the mirror's PostgreSQL",
            says=f"It is {version_num // 10_000}, production's {profile.server.major}",
            effect="executions may take another plan than production's",
        )
    if manifest is not None and manifest.taken_at < profile.taken_at:
        yield Gap(
            subject="the mirror",
            says=f"It was made from a profile of {manifest.taken_at:%Y-%m-%d}, older than this one",
            effect="it is as large as production was then",
            cure="premortem mirror build, from this profile",
        )
    small = [t for t in profile.tables if t.rows >= _FEW_ROWS and not is_whole(t.relation, profile, present)]
    if small:
        worst = max(small, key=lambda t: t.rows)
        here = words.number(max(present.get(worst.relation, 0.0), 0.0))
        yield Gap(
            subject="the mirror's size",
            says=f"{words.plural(len(small), 'table')} there have less than half of production's rows, such as"
            f" {worst.relation.short} with {here} of {words.number(worst.rows)}",
            effect="what is quick there may be slow in production; findings of the twin stand",
            cure="premortem mirror build without --rows and --for",
        )


def is_whole(relation: RelationName, profile: Profile, present: Mapping[RelationName, float]) -> bool:
    """Whether the mirror's table has at least half of production's rows."""
    table = profile.find_table(relation.name, relation.schema)
    return table is not None and present.get(relation, -1.0) >= WHOLE * table.rows
