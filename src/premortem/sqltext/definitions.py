"""What statements that change the schema say, as values; their words are those of PostgreSQL's manual."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.sqltext.shapes import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that an ALTER does: `form` is `ADD COLUMN`, `ALTER COLUMN TYPE`, `ADD FOREIGN KEY`, ….

    `column` is the column that it is about, `name` the constraint, trigger, index or new name.  `type` is the new
    type's text.  `options` are the names of storage parameters.  `not_null` and `has_default` speak of ADD COLUMN;
    `with_constraints` are the forms of the constraints that ADD COLUMN brings (`ADD FOREIGN KEY`, `ADD UNIQUE` …).
    """

    form: str
    column: str | None = None
    columns: tuple[str, ...] = ()
    name: str | None = None
    type: str | None = None
    references: TableName | None = None
    not_valid: bool = False
    using_index: str | None = None
    concurrently: bool = False
    cascade: bool = False
    not_null: bool = False
    has_default: bool = False
    generated: bool = False
    options: tuple[str, ...] = ()
    with_constraints: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a statement does to the schema: `verb` is `ALTER TABLE`, `CREATE INDEX`, `DROP TABLE`, `BEGIN`, `SET` ….

    `relation` is the table or index that it names first, `others` the further ones (DROP a, b; the parents of a new
    table; what its foreign keys reference).  `name` is the new object's name, a setting's for SET, else what is
    renamed or dropped where that is no relation.
    """

    verb: str
    relation: TableName | None = None
    others: tuple[TableName, ...] = ()
    actions: tuple[Action, ...] = ()
    name: str | None = None
    value: str | None = None
    concurrently: bool = False
    if_exists: bool = False
    if_not_exists: bool = False
    cascade: bool = False
    is_local: bool = False
    partition_of: TableName | None = None
    columns: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms of its actions."""
        return tuple(a.form for a in self.actions)
