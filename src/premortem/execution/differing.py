"""Indexes that a mirror has and production has not, or lacks: what is executed there tells of another database.

A staging copy is where indexes are tried.  One that was left there makes a query quick that is slow in production, and
hides that it misses just this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from premortem import pg, words
from premortem.errors import PrivilegeError, ServerTimeout, StatementError
from premortem.execution.running import hide, queries
from premortem.model import Gap, Profile, RelationName

#: What two indexes on one table have in common that are the same but for their names.
_SAME = re.compile(r"^CREATE (UNIQUE )?INDEX .*? (USING .*)$", re.DOTALL)
_MOST_TOLD = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """What only the mirror has, of that what only a constraint's end would remove, and what only production has.

    `extra` are names of indexes, `bound` and `missing` sentences' parts: an index and its table.
    """

    extra: tuple[RelationName, ...] = ()
    bound: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def gaps(self, *, hidden: bool) -> Iterator[Gap]:
        """Yield what this does to what is executed there; `hidden` says that the extra ones are out of its way."""
        extra = [str(name) for name in self.extra]
        if extra and hidden:
            yield _gap(f"It has {_some(extra)}, and production has not", "they are hidden while queries are executed")
        left = [*self.bound, *(() if hidden else extra)]
        if left:
            effect = "queries that read them are quicker there than in production"
            yield _gap(f"It has {_some(left)}, and production has not", effect, "DROP there what nobody needs")
        if self.missing:
            effect = "queries that read them are slower there than in production"
            yield _gap(f"It lacks {_some(list(self.missing))} of production's", effect, "CREATE them there")


def differing(db: pg.Session, profile: Profile) -> Differing:
    """Compare a mirror's indexes with production's by what they are, whatever their names.

    Tables that only one of them has are left out, and so is an index whose name the other's table has too: the words of
    its definition may differ between versions.
    """
    there: dict[RelationName, dict[str, tuple[str, bool]]] = {}
    for schema, table, name, definition, bound in db.tuples(queries["indexes"]):
        found = there.setdefault(RelationName(schema=schema, name=table), {})
        if name is not None:
            found[name] = (_sameness(definition), bound)
    known = ((t.relation, [i for i in t.indexes if i.valid and i.parent is None]) for t in profile.tables)
    own = {relation: {i.name: _sameness(i.definition) for i in of} for relation, of in known if relation in there}
    extra = [(r, name, bound) for r, name, bound in _only_there(there, own)]
    return Differing(
        extra=tuple(RelationName(schema=r.schema, name=name) for r, name, bound in extra if not bound),
        bound=tuple(f"{name} on {r}" for r, name, bound in extra if bound),
        missing=tuple(
            f"{name} on {r}"
            for r, indexes in own.items()
            for name, same in indexes.items()
            if name not in there[r] and same not in {s for s, _ in there[r].values()}
        ),
    )


def _only_there(
    there: Mapping[RelationName, Mapping[str, tuple[str, bool]]], own: Mapping[RelationName, Mapping[str, str]]
) -> Iterator[tuple[RelationName, str, bool]]:
    for relation, known in own.items():
        for name, (same, bound) in there[relation].items():
            if name not in known and same not in known.values():
                yield relation, name, bound


def can_hide(db: pg.Session, extra: tuple[RelationName, ...]) -> bool:
    """Whether these indexes can be dropped, and so hidden: the role may not own them, or somebody is at work there."""
    try:
        with db.rolled_back():
            hide(db, extra)
    except (PrivilegeError, ServerTimeout, StatementError):
        return False
    return True


def _sameness(definition: str) -> str:
    """Return what makes two indexes of a table the same.

    >>> _sameness("CREATE UNIQUE INDEX a_pkey ON public.a USING btree (id)")
    'UNIQUE USING btree (id)'
    """
    found = _SAME.match(definition)
    return f"{found[1] or ''}{found[2]}" if found else definition


def _some(names: list[str]) -> str:
    return f"{words.plural(len(names), 'index', 'indexes')} ({words.listing(names, most=_MOST_TOLD)})"


def _gap(says: str, effect: str, cure: str = "") -> Gap:
    return Gap(subject="the mirror's indexes", says=says, effect=effect, cure=cure)
