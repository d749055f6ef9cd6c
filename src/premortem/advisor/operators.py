"""Which access method and operator class serve an operator, where that is not a plain B-tree.

The tables follow the manual's "Built-in GIN/GiST Operator Classes" and the pages of the extensions.  An operator class
that is not its type's default is named; None stands for the default one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from premortem.advisor.columns import base_type
from premortem.advisor.wants import Operand, Term
from premortem.model import IndexCandidate, IndexKey, ObjectKind, Profile, Table


@dataclass(frozen=True, slots=True)
class Access:
    """An access method with the operator class that makes it serve an operator."""

    method: str
    opclass: str | None = None


_TRIGRAM = Access("gin", "gin_trgm_ops")
_RANGE = frozenset({"&&", "@>", "<@", "<<", ">>", "&<", "&>", "-|-"})
_GIST, _SPGIST = Access("gist"), Access("spgist")
_BY_TYPE: dict[str, dict[str, tuple[Access, ...]]] = {
    "jsonb": {
        **dict.fromkeys(("@>", "@?", "@@"), (Access("gin", "jsonb_path_ops"), Access("gin"))),
        **dict.fromkeys(("?", "?|", "?&"), (Access("gin"),)),
    },
    "tsvector": {"@@": (Access("gin"),)},
    "tsquery": dict.fromkeys(("@>", "<@"), (_GIST,)),
    "hstore": dict.fromkeys(("?", "?|", "?&", "@>"), (Access("gin"),)),
    "ltree": dict.fromkeys(("@>", "<@", "~", "?", "@"), (_GIST,)),
    "inet": dict.fromkeys(("<<", "<<=", ">>", ">>=", "&&"), (Access("gist", "inet_ops"), _SPGIST)),
    "array": dict.fromkeys(("&&", "@>", "<@"), (Access("gin"),)),
    "range": dict.fromkeys(_RANGE, (_GIST, _SPGIST)),
    "multirange": dict.fromkeys(_RANGE, (_GIST,)),
    "text": dict.fromkeys(("~~", "~~*", "~", "~*", "%", "%>", "<%", "%>>", "<<%"), (_TRIGRAM,)),
    "point": dict.fromkeys(("<@", "<<", ">>", "~=", "|>>", "<<|"), (_GIST, _SPGIST)),
    "geometry": dict.fromkeys(("&&", "@", "~", "<@", "@>", "|>>", "<<", ">>", "~=", "<->"), (_GIST,)),
}
_GEOMETRIC = frozenset({"box", "circle", "polygon", "geometry", "geography", "cube"})
_TEXT = frozenset({"text", "character varying", "character", "citext", "name"})
_DISTANCE = frozenset({"point", "box", "circle", "polygon", "geometry", "geography", "cube"})


def operator_candidates(term: Term, table: Table, profile: Profile) -> tuple[IndexCandidate, ...]:
    """Return the indexes that the condition's operator asks for, none where no access method serves it."""
    type_name = operand_type(term.operand, table)
    because = f"{term.operand.words} {term.operator}"
    return tuple(
        IndexCandidate(
            table=table.relation, keys=(_key(term.operand, access.opclass),), method=access.method, because=because
        )
        for access in _access(type_name, term.operator, profile)
    )


def distance_candidates(operand: Operand, table: Table) -> tuple[IndexCandidate, ...]:
    """Return the indexes that give rows nearest first, none where the type has none built in."""
    type_name = operand_type(operand, table)
    return tuple(
        IndexCandidate(table=table.relation, keys=(_key(operand, access.opclass),), method=access.method, because=says)
        for access, says in _distances(type_name)
    )


def _distances(type_name: str) -> tuple[tuple[Access, str], ...]:
    if type_name in _TEXT:
        return ((Access("gist", "gist_trgm_ops"), "most similar first"),)
    if _plain(type_name) not in _DISTANCE:
        return ()
    return tuple((access, "nearest first") for access in ((_GIST, _SPGIST) if type_name == "point" else (_GIST,)))


def _key(operand: Operand, opclass: str | None) -> IndexKey:
    return IndexKey(column=operand.column, expression=operand.expression, opclass=opclass)


def _access(type_name: str, operator: str, profile: Profile) -> tuple[Access, ...]:
    family = _family(type_name, profile)
    if family == "array" and type_name == "integer[]" and has_extension(profile, "intarray"):
        return (Access("gin", "gin__int_ops"),) if operator in ("&&", "@>", "<@", "@@") else ()
    return _BY_TYPE.get(family, {}).get(operator, ())


def _family(type_name: str, profile: Profile) -> str:
    plain = _plain(type_name)
    if type_name.endswith("[]"):
        return "array"
    if plain.endswith("multirange"):
        return "multirange"
    if plain.endswith("range") or _is_range(plain, profile):
        return "range"
    if plain in _GEOMETRIC:
        return "geometry"
    if plain in _TEXT:
        return "text"
    return {"cidr": "inet"}.get(plain, plain)


def _is_range(plain: str, profile: Profile) -> bool:
    return any(o.kind is ObjectKind.RANGE and o.name == plain for o in profile.objects)


def _plain(type_name: str) -> str:
    return type_name.rsplit(".", 1)[-1]


def operand_type(operand: Operand, table: Table) -> str:
    """Return the operand's type; an expression's is told by how it is written, `text` where it does not tell."""
    if operand.column is not None:
        column = table.column(operand.column)
        return base_type(column.type) if column else "text"
    return _expression_type(operand.expression or "")


def _expression_type(expression: str) -> str:
    if re.search(r"(?<!#)(->|#>)\s*('[^']*'(::text(\[\])?)?|\d+)\)?$", expression):
        return "jsonb"
    cast = re.search(r"::([a-z_ ]+(?:\[\])?)\)?$", expression)
    if cast:
        return cast.group(1).strip()
    by_start = {"to_tsvector(": "tsvector", "string_to_array(": "text[]", "tstzrange(": "tstzrange"}
    by_start |= {"tsrange(": "tsrange", "daterange(": "daterange", "int4range(": "int4range", "point(": "point"}
    by_start |= {"numrange(": "numrange", "int8range(": "int8range", "box(": "box"}
    for start, type_name in by_start.items():
        if expression.startswith(start):
            return type_name
    return "text"


#: Types without a B-tree operator class (`pg_opclass` of PostgreSQL 15 and 18).
_UNSORTED = frozenset(
    ("json", "xml", "point", "box", "circle", "polygon", "path", "line", "lseg", "aclitem", "pg_snapshot", "cid", "xid")
)


def is_sortable(table: Table, name: str) -> bool:
    """Whether a column's type has a B-tree operator class, as far as the type's name tells."""
    column = table.column(name)
    return column is not None and _plain(base_type(column.type)).removesuffix("[]") not in _UNSORTED


def has_extension(profile: Profile, name: str) -> bool:
    """Whether production has the extension installed."""
    return any(e.name == name for e in profile.extensions)


#: Extensions that an operator class belongs to, for the classes that the advisor proposes.
EXTENSION_OF = {"gin_trgm_ops": "pg_trgm", "gist_trgm_ops": "pg_trgm", "gin__int_ops": "intarray"}


def extensions(candidate: IndexCandidate) -> tuple[str, ...]:
    """Return the extensions that must be there before the index can be created."""
    return tuple(sorted({EXTENSION_OF[k.opclass] for k in candidate.keys if k.opclass in EXTENSION_OF}))


def needs_pattern_opclass(operand: Operand, table: Table, profile: Profile) -> bool:
    """Whether LIKE 'x%' on the operand needs `text_pattern_ops`: outside the C collation a plain B-tree is no use."""
    column = table.column(operand.column) if operand.column else None
    if operand_type(operand, table) == "citext":
        return False
    collation = column.collation if column else None
    if collation is not None and not collation.endswith("default"):
        return collation.rsplit(".", 1)[-1].strip('"') not in ("C", "POSIX")
    return profile.server.locale_provider != "c" or profile.server.collate not in ("C", "POSIX")
