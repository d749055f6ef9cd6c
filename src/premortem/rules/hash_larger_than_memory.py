"""A hash table that is expected to need far more than it may, so that it goes through temporary files.

Sees:   the hash of a join, or of GROUP BY, whose rows and width make it larger than `work_mem` times
        `hash_mem_multiplier`, and large in itself.
Hurts:  both sides of the join are split into batches, written to disk and read again.
Do:     hash less (filter first, fewer columns), an index that allows another join, or more `work_mem` for this role.
Quiet:  tables that fit, or spill a little; a generic plan; a plan that was executed, of which hash-spills-to-disk
        knows more.  The sizes here are estimates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import bytes_of, hash_mem, is_guess, relation_of, sized
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="hash-larger-than-memory", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_megabytes` are hashed, and `min_ratio` times what a hash table may use."""

    min_megabytes: float = 64
    min_ratio: float = 2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every hash table that will not fit."""
    memory = hash_mem(subject.profile)
    for node in subject.plan.walk():
        size = bytes_of(node.rows, node.width) if _is_hash(node) else 0.0
        if size < max(limits.min_megabytes * 2**20, limits.min_ratio * memory) or is_guess(subject):
            continue
        what = "groups" if node.kind == "Aggregate" else "hashes"
        yield RULE.finding(
            f"{what} {counted(node.rows)} of {relation_of(node)}, about {sized(size)}, with {sized(memory)} of memory",
            Evidence.plan("size of the hash table", round(size), "bytes"),
            Evidence.catalog("memory for a hash table", round(memory), "bytes"),
            table=relation_of(node),
            about=",".join(node.group_key) or "join",
            node=node,
            parameters=subject.parameters,
            advice="hash fewer rows or columns, or give this query's role more work_mem",
        )


def _is_hash(node: Node) -> bool:
    if node.actual is not None:
        return False
    return node.kind == "Hash" or (node.kind == "Aggregate" and node.strategy == "Hashed")
