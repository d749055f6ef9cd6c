"""Weighs what squawk found by what premortem knows: of production, and of what the statement really did."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from premortem import words
from premortem.migrations import saying
from premortem.migrations.seen import Seen, find
from premortem.migrations.squawk import Violation
from premortem.model import Evidence, Finding, Profile, Remedy, Severity, Table
from premortem.rules.of_migrations import TASTE, WARNING
from premortem.sqltext import TableName

#: What premortem judges itself, by the locks and the work that the twin showed: squawk's guess adds nothing.
_JUDGED = frozenset(
    {
        "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field",
        "adding-serial-primary-key-field", "changing-column-type", "constraint-missing-not-valid",
        "disallowed-unique-constraint", "require-concurrent-index-creation", "require-concurrent-index-deletion",
        "require-concurrent-partition-detach", "require-concurrent-reindex", "prefer-repack", "require-lock-timeout",
    }
)  # fmt: skip
#: Judged by premortem whether the twin ran the statement or not.
_REPLACED = frozenset({"ban-concurrent-index-creation-in-transaction"})
_TASTE = frozenset(rule.name for rule in TASTE)
#: About new columns and names, so about new tables too.
_OF_NEW_TABLES = _TASTE | {
    "prefer-bigint-over-int", "prefer-timestamptz", "identifier-too-long", "ban-create-domain-with-constraint",
    "ban-uncommitted-transaction", "transaction-nesting", "unused-ignore", "ban-drop-database",
    "require-enum-value-ordering", "ban-alter-domain-with-add-constraint",
}  # fmt: skip
_OF_USE = {
    "ban-drop-column": "drops", "ban-drop-table": "drops", "renaming-column": "renames", "renaming-table": "renames",
}  # fmt: skip


def find_lints(
    violations: Sequence[Violation],
    seens: Sequence[Seen],
    before: Profile,
    after: Profile,
    *,
    wanted: Collection[str],
    used: Collection[int],
) -> Iterator[Finding]:
    """Yield the violations that are worth a finding.

    `wanted` are the rules that the settings name, which brings matters of taste in; `used` are the numbers of the steps
    of which it is known that queries break.
    """
    by_file: dict[str, list[Seen]] = {}
    for seen in seens:
        by_file.setdefault(seen.step.migration.path, []).append(seen)
    told: set[tuple[str, int, str]] = set()
    for violation in violations:
        seen_at = _at(violation, by_file)
        if seen_at is None or violation.rule not in saying.RULES:
            continue
        if violation.rule == "prefer-bigint-over-int" and not _has_narrow_key(seen_at, after):
            continue
        place = (violation.rule, seen_at.step.number, violation.says if violation.rule in _OF_NEW_TABLES else "")
        if place not in told:
            told.add(place)
            yield from _finding(violation, seen_at, before, wanted, used)


def _has_narrow_key(seen: Seen, after: Profile) -> bool:
    """Whether a step adds a key of 32 bits: a column that is unique, or that references one."""
    said = seen.step.said
    table = find(said.relation, after)
    if table is None:
        return False
    keys = {c for i in table.indexes if i.unique for c in i.columns} | {
        c for k in table.foreign_keys for c in k.columns
    }
    added = {*said.columns, *(a.column for a in said.actions)}
    return any(c.name in keys & added and c.type == "integer" for c in table.columns)


def _at(violation: Violation, by_file: Mapping[str, Sequence[Seen]]) -> Seen | None:
    """Return the step that a line belongs to: the last one that begins at or before it."""
    begun = [s for s in by_file.get(violation.path, ()) if s.step.first_line <= violation.line]
    return begun[-1] if begun else next(iter(by_file.get(violation.path, ())), None)


def _finding(
    violation: Violation, seen: Seen, before: Profile, wanted: Collection[str], used: Collection[int]
) -> Iterator[Finding]:
    rule = violation.rule
    if rule in _REPLACED or (rule in _TASTE and rule not in wanted) or not _concerns(seen, rule):
        return
    if rule in _JUDGED and (seen.observed.skipped is None or seen.locks):
        return
    if rule not in _OF_NEW_TABLES and _is_about_new_table(seen, before):
        return
    if rule == "adding-required-field":
        yield from _required(seen, before)
    elif rule in _OF_USE:
        yield from () if seen.step.number in used else (_of_use(violation, seen, before),)
    else:
        yield _plain(violation, seen, before)


def _concerns(seen: Seen, rule: str) -> bool:
    """Whether a step will run: what the file rolls back, or production already has, is not the change's."""
    if rule in ("unused-ignore", "ban-uncommitted-transaction", "transaction-nesting"):
        return True
    return seen.is_run


def _is_about_new_table(seen: Seen, before: Profile) -> bool:
    """Whether everything that a step locks is of the change's own making."""
    if seen.observed.skipped is None and seen.observed.locks:
        return all(k.is_new for k in seen.observed.locks)
    named = seen.step.said.relation
    return seen.step.said.verb == "CREATE TABLE" or (named is not None and _table(seen, named, before) is None)


def _table(seen: Seen, name: TableName, before: Profile) -> Table | None:
    locked = [k.of for k in seen.locks]
    found = find(name, before)
    return found or next((t for r in locked if (t := before.table(r)) is not None), None)


def _required(seen: Seen, before: Profile) -> Iterator[Finding]:
    table = next((t for k in seen.locks if (t := before.table(k.of)) is not None), None)
    columns = [a.column or "" for a in seen.step.said.actions if a.not_null and not a.has_default]
    if table is None or not columns:
        return
    rows = table.rows
    says = f"{table.full_name} gets {words.listing(columns)}, NOT NULL and without a default: "
    if rows > 0:
        says += f"its {words.plural(round(rows), 'row')} have no value for it, so the statement fails"
    else:
        says += "running code that does not know the column cannot insert any more"
    yield saying.finding(
        "adding-required-field",
        seen,
        says,
        Evidence.stat("rows", round(rows), "rows"),
        severity=Severity.ERROR if rows > 0 else Severity.INFO,
        table=table.relation,
        about=",".join(columns),
    )


def _of_use(violation: Violation, seen: Seen, before: Profile) -> Finding:
    """What is dropped or renamed: no statement that is known names it, and that is all that can be said."""
    said = seen.step.said
    what = [a.column for a in said.actions if a.column and a.form in ("DROP COLUMN", "RENAME COLUMN")]
    table = None if said.relation is None else _table(seen, said.relation, before)
    name = table.full_name if table is not None else "a table"
    subject = f"{name}.{what[0]}" if what and "column" in violation.rule else name
    known = len(before.workload.statements)
    since = f" since {before.workload.since:%Y-%m-%d}" if before.workload.since else ""
    names = f"none of the {words.plural(known, 'statement')} of production's workload{since} names it"
    unknown = "the profile holds no workload that could tell who uses it"
    return saying.finding(
        violation.rule,
        seen,
        f"it {_OF_USE[violation.rule]} {subject}; {names if known else unknown}, and code that was deployed before may",
        Evidence.catalog("statements of the workload", known),
        severity=Severity.INFO if known else WARNING,
        table=table.relation if table is not None else None,
        about=subject,
    )


def _plain(violation: Violation, seen: Seen, before: Profile) -> Finding:
    rule = saying.RULES[violation.rule]
    table = None if seen.step.said.relation is None else _table(seen, seen.step.said.relation, before)
    what = rule.says.rstrip(".")
    return saying.finding(
        rule.name,
        seen,
        f"{what[0] if what[1].isupper() else what[0].lower()}{what[1:]}: {saying.harm(rule)}",
        table=table.relation if table is not None else None,
        about=f"{seen.step.said.name or (seen.step.said.relation.name if seen.step.said.relation else '')}:"
        f"{','.join(a.column or '' for a in seen.step.said.actions)}",
        remedy=Remedy(says=saying.advice(rule)),
    )
