"""Reads what a statement does to the schema from its syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from premortem.sqltext import tree
from premortem.sqltext.definitions import Action, Definition
from premortem.sqltext.shapes import TableName
from premortem.sqltext.tree import Node, pb

Reader: TypeAlias = Callable[[Node], Definition]

_OBJECTS = {
    "OBJECT_TABLE": "TABLE", "OBJECT_INDEX": "INDEX", "OBJECT_VIEW": "VIEW", "OBJECT_MATVIEW": "MATERIALIZED VIEW",
    "OBJECT_SEQUENCE": "SEQUENCE", "OBJECT_TYPE": "TYPE", "OBJECT_DOMAIN": "DOMAIN", "OBJECT_SCHEMA": "SCHEMA",
    "OBJECT_TRIGGER": "TRIGGER", "OBJECT_POLICY": "POLICY", "OBJECT_RULE": "RULE", "OBJECT_COLUMN": "COLUMN",
    "OBJECT_TABCONSTRAINT": "CONSTRAINT", "OBJECT_FOREIGN_TABLE": "FOREIGN TABLE", "OBJECT_FUNCTION": "FUNCTION",
    "OBJECT_STATISTIC_EXT": "STATISTICS", "OBJECT_EXTENSION": "EXTENSION", "OBJECT_DATABASE": "DATABASE",
    "OBJECT_PUBLICATION": "PUBLICATION",
}  # fmt: skip
_FORMS = {
    "AT_AddColumn": "ADD COLUMN", "AT_DropColumn": "DROP COLUMN", "AT_AlterColumnType": "ALTER COLUMN TYPE",
    "AT_DropNotNull": "DROP NOT NULL", "AT_SetNotNull": "SET NOT NULL", "AT_SetExpression": "SET EXPRESSION",
    "AT_DropExpression": "DROP EXPRESSION", "AT_SetStatistics": "SET STATISTICS", "AT_SetOptions": "SET (column)",
    "AT_ResetOptions": "RESET (column)", "AT_SetStorage": "SET STORAGE", "AT_SetCompression": "SET COMPRESSION",
    "AT_ValidateConstraint": "VALIDATE CONSTRAINT", "AT_DropConstraint": "DROP CONSTRAINT",
    "AT_AlterConstraint": "ALTER CONSTRAINT", "AT_ChangeOwner": "OWNER TO", "AT_ClusterOn": "CLUSTER ON",
    "AT_DropCluster": "SET WITHOUT CLUSTER", "AT_SetLogged": "SET LOGGED", "AT_SetUnLogged": "SET UNLOGGED",
    "AT_SetAccessMethod": "SET ACCESS METHOD", "AT_SetTableSpace": "SET TABLESPACE", "AT_SetRelOptions": "SET (",
    "AT_ResetRelOptions": "RESET (", "AT_EnableTrig": "ENABLE TRIGGER", "AT_EnableAlwaysTrig": "ENABLE ALWAYS TRIGGER",
    "AT_EnableReplicaTrig": "ENABLE REPLICA TRIGGER", "AT_DisableTrig": "DISABLE TRIGGER",
    "AT_EnableTrigAll": "ENABLE TRIGGER", "AT_DisableTrigAll": "DISABLE TRIGGER", "AT_EnableTrigUser": "ENABLE TRIGGER",
    "AT_DisableTrigUser": "DISABLE TRIGGER", "AT_EnableRule": "ENABLE RULE", "AT_DisableRule": "DISABLE RULE",
    "AT_EnableAlwaysRule": "ENABLE ALWAYS RULE", "AT_EnableReplicaRule": "ENABLE REPLICA RULE",
    "AT_AddInherit": "INHERIT", "AT_DropInherit": "NO INHERIT", "AT_AddOf": "OF", "AT_DropOf": "NOT OF",
    "AT_ReplicaIdentity": "REPLICA IDENTITY", "AT_EnableRowSecurity": "ENABLE ROW LEVEL SECURITY",
    "AT_DisableRowSecurity": "DISABLE ROW LEVEL SECURITY", "AT_ForceRowSecurity": "FORCE ROW LEVEL SECURITY",
    "AT_NoForceRowSecurity": "NO FORCE ROW LEVEL SECURITY", "AT_AttachPartition": "ATTACH PARTITION",
    "AT_DetachPartition": "DETACH PARTITION", "AT_DetachPartitionFinalize": "DETACH PARTITION FINALIZE",
    "AT_AddIdentity": "ADD GENERATED AS IDENTITY", "AT_SetIdentity": "SET GENERATED",
    "AT_DropIdentity": "DROP IDENTITY",
}  # fmt: skip
_CONSTRAINTS = {
    "CONSTR_CHECK": "ADD CHECK", "CONSTR_PRIMARY": "ADD PRIMARY KEY", "CONSTR_UNIQUE": "ADD UNIQUE",
    "CONSTR_EXCLUSION": "ADD EXCLUDE", "CONSTR_FOREIGN": "ADD FOREIGN KEY", "CONSTR_NOTNULL": "ADD NOT NULL",
}  # fmt: skip
_REINDEXED = {
    "REINDEX_OBJECT_INDEX": "REINDEX INDEX", "REINDEX_OBJECT_TABLE": "REINDEX TABLE",
    "REINDEX_OBJECT_SCHEMA": "REINDEX SCHEMA", "REINDEX_OBJECT_SYSTEM": "REINDEX SYSTEM",
    "REINDEX_OBJECT_DATABASE": "REINDEX DATABASE",
}  # fmt: skip
#: LOCK TABLE's modes as libpg_query numbers them (`storage/lockdefs.h`).
_LOCK_MODES = (
    "", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip


@lru_cache(maxsize=1024)
def definition(sql: str) -> Definition:
    """Return what a statement does to the schema; raises StatementError where it cannot be parsed."""
    statement = tree.one_statement(sql)
    if statement is None:
        return Definition(verb="")
    kind = type(statement).__name__
    reader = _READERS.get(kind)
    return reader(statement) if reader is not None else Definition(verb=_words(kind))


def _words(kind: str) -> str:
    """Return the words of a syntax tree's name: `CreateFunctionStmt` is `CREATE FUNCTION`."""
    name = kind.removesuffix("Stmt")
    return "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name)).upper()


def _table(relation: Node) -> TableName:
    return TableName(relation.schemaname or None, relation.relname)


def _named(parts: tuple[str, ...]) -> TableName:
    return TableName(parts[-2] if len(parts) > 1 else None, parts[-1])


def _alter_table(node: Node) -> Definition:
    object_kind = _OBJECTS.get(pb.ObjectType.Name(node.objtype), "TABLE")
    actions = tuple(_action(c.alter_table_cmd) for c in node.cmds)
    return Definition(
        verb=f"ALTER {object_kind}",
        relation=_table(node.relation),
        others=tuple(t for a in actions for t in _referenced(a)),
        actions=actions,
        if_exists=node.missing_ok,
    )


def _referenced(action: Action) -> Iterator[TableName]:
    for one in (action, *action.with_constraints):
        if one.references is not None:
            yield one.references


def _action(command: Node) -> Action:
    kind = pb.AlterTableType.Name(command.subtype)
    inner = tree.inner(getattr(command, "def"))
    cascade = command.behavior == pb.DropBehavior.DROP_CASCADE
    match kind:
        case "AT_AddColumn":
            return _add_column(inner)
        case "AT_AddConstraint":
            return _constraint(inner)
        case "AT_AlterColumnType":
            return Action(form=_FORMS[kind], column=command.name, type=_type(inner.type_name))
        case "AT_ColumnDefault":
            return Action(form="SET DEFAULT" if inner is not None else "DROP DEFAULT", column=command.name)
        case "AT_AttachPartition" | "AT_DetachPartition" | "AT_DetachPartitionFinalize":
            return Action(form=_FORMS[kind], references=_table(inner.name), concurrently=inner.concurrent)
        case "AT_AddInherit" | "AT_DropInherit":
            return Action(form=_FORMS[kind], references=_table(inner))
        case "AT_SetRelOptions" | "AT_ResetRelOptions":
            return Action(form=_FORMS[kind], options=tuple(i.def_elem.defname for i in inner.items))
        case "AT_AlterConstraint":
            enforced = ("enforced",) if inner.alter_enforceability else ()
            return Action(form=_FORMS[kind], name=inner.conname, options=enforced)
        case "AT_DropColumn" | "AT_SetNotNull" | "AT_DropNotNull":
            return Action(form=_FORMS[kind], column=command.name, cascade=cascade)
    form = _FORMS.get(kind, kind.removeprefix("AT_"))
    return Action(form=form, name=command.name or None, column=command.name or None, cascade=cascade)


def _add_column(column: Node) -> Action:
    kinds = [(pb.ConstrType.Name(c.constraint.contype), c.constraint) for c in column.constraints]
    names = {k for k, _ in kinds}
    return Action(
        form="ADD COLUMN",
        column=column.colname,
        type=_type(column.type_name),
        not_null=bool(names & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"}),
        has_default=bool(names & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"})
        or _type(column.type_name).endswith("serial"),
        generated="CONSTR_GENERATED" in names,
        with_constraints=tuple(_constraint(c) for k, c in kinds if k in _CONSTRAINTS and k != "CONSTR_NOTNULL"),
    )


def _constraint(node: Node) -> Action:
    kind = pb.ConstrType.Name(node.contype)
    columns = tree.name_of(node.keys) or tree.name_of(node.fk_attrs)
    return Action(
        form=_CONSTRAINTS.get(kind, "ADD CONSTRAINT"),
        name=node.conname or None,
        columns=columns,
        column=columns[0] if columns else None,
        references=_table(node.pktable) if node.HasField("pktable") else None,
        not_valid=node.skip_validation,
        using_index=node.indexname or None,
    )


def _type(node: Node) -> str:
    """Return a type's name as it is written, its modifiers included."""
    names = tree.name_of(node.names)
    base = names[-1] if names else ""
    modifiers = [str(m.a_const.ival.ival) for m in node.typmods if m.HasField("a_const")]
    return base + (f"({','.join(modifiers)})" if modifiers else "") + "[]" * len(node.array_bounds)


def _create_index(node: Node) -> Definition:
    keys = [p.index_elem for p in node.index_params]
    return Definition(
        verb="CREATE UNIQUE INDEX" if node.unique else "CREATE INDEX",
        relation=_table(node.relation),
        name=node.idxname or None,
        concurrently=node.concurrent,
        if_not_exists=node.if_not_exists,
        columns=tuple(k.name for k in keys if k.name),
    )


def _drop(node: Node) -> Definition:
    kind = _OBJECTS.get(pb.ObjectType.Name(node.remove_type), "OBJECT")
    names = [tree.name_of(o.list.items) if o.HasField("list") else (o.string.sval,) for o in node.objects]
    # A trigger, policy or rule is named with its table: the table comes first, the object's name last.
    if kind in ("TRIGGER", "POLICY", "RULE"):
        relations = [_named(n[:-1]) for n in names if len(n) > 1]
    else:
        relations = [_named(n) for n in names if n and n[-1]]
    return Definition(
        verb=f"DROP {kind}",
        relation=relations[0] if relations else None,
        others=tuple(relations[1:]),
        concurrently=node.concurrent,
        if_exists=node.missing_ok,
        cascade=node.behavior == pb.DropBehavior.DROP_CASCADE,
    )


def _rename(node: Node) -> Definition:
    kind = _OBJECTS.get(pb.ObjectType.Name(node.rename_type), "OBJECT")
    owner = _OBJECTS.get(pb.ObjectType.Name(node.relation_type), "TABLE") if kind in ("COLUMN", "CONSTRAINT") else kind
    form = f"RENAME {kind}" if kind in ("COLUMN", "CONSTRAINT") else "RENAME TO"
    relation = _table(node.relation) if node.HasField("relation") else None
    action = Action(form=form, column=node.subname or None, name=node.newname)
    return Definition(verb=f"ALTER {owner}", relation=relation, actions=(action,), if_exists=node.missing_ok)


def _create_table(node: Node) -> Definition:
    parents = tuple(_table(p.range_var) for p in node.inh_relations)
    constraints = [c.constraint for c in node.constraints]
    columns = [e.column_def for e in node.table_elts if e.HasField("column_def")]
    constraints += [e.constraint for e in node.table_elts if e.HasField("constraint")]
    constraints += [c.constraint for column in columns for c in column.constraints]
    references = tuple(_table(c.pktable) for c in constraints if c.HasField("pktable"))
    is_partition = node.HasField("partbound")
    return Definition(
        verb="CREATE TABLE",
        relation=_table(node.relation),
        others=tuple(dict.fromkeys((*(() if is_partition else parents), *references))),
        partition_of=parents[0] if is_partition and parents else None,
        if_not_exists=node.if_not_exists,
        columns=tuple(c.colname for c in columns),
    )


def _transaction(node: Node) -> Definition:
    words = {
        "TRANS_STMT_BEGIN": "BEGIN", "TRANS_STMT_START": "BEGIN", "TRANS_STMT_COMMIT": "COMMIT",
        "TRANS_STMT_ROLLBACK": "ROLLBACK", "TRANS_STMT_SAVEPOINT": "SAVEPOINT", "TRANS_STMT_RELEASE": "RELEASE",
        "TRANS_STMT_ROLLBACK_TO": "ROLLBACK TO", "TRANS_STMT_PREPARE": "PREPARE TRANSACTION",
    }  # fmt: skip
    return Definition(verb=words.get(pb.TransactionStmtKind.Name(node.kind), "TRANSACTION"))


def _set(node: Node) -> Definition:
    kind = pb.VariableSetKind.Name(node.kind)
    values = [v.a_const for v in node.args if v.HasField("a_const")]
    shown = [v.sval.sval if v.HasField("sval") else str(v.ival.ival) for v in values]
    verb = "RESET" if kind.startswith("VAR_RESET") else "SET"
    value = None if kind == "VAR_SET_DEFAULT" else ", ".join(shown)
    return Definition(verb=verb, name=node.name or None, value=value, is_local=node.is_local)


def _reindex(node: Node) -> Definition:
    concurrently = any(p.def_elem.defname == "concurrently" for p in node.params)
    relation = _table(node.relation) if node.HasField("relation") else None
    verb = _REINDEXED.get(pb.ReindexObjectType.Name(node.kind), "REINDEX")
    return Definition(verb=verb, relation=relation, name=node.name or None, concurrently=concurrently)


def _vacuum(node: Node) -> Definition:
    options = {o.def_elem.defname for o in node.options}
    relations = [_table(r.vacuum_relation.relation) for r in node.rels]
    verb = "ANALYZE" if not node.is_vacuumcmd else "VACUUM FULL" if "full" in options else "VACUUM"
    return Definition(verb=verb, relation=relations[0] if relations else None, others=tuple(relations[1:]))


def _truncate(node: Node) -> Definition:
    relations = [_table(r.range_var) for r in node.relations]
    cascade = node.behavior == pb.DropBehavior.DROP_CASCADE
    return Definition(verb="TRUNCATE", relation=relations[0], others=tuple(relations[1:]), cascade=cascade)


def _lock(node: Node) -> Definition:
    relations = [_table(r.range_var) for r in node.relations]
    mode = _LOCK_MODES[node.mode] if 0 < node.mode < len(_LOCK_MODES) else "ACCESS EXCLUSIVE"
    return Definition(verb="LOCK TABLE", relation=relations[0], others=tuple(relations[1:]), value=mode)


def _on_relation(verb: str) -> Reader:
    def read(node: Node) -> Definition:
        name = next((getattr(node, n) for n in ("trigname", "policy_name", "rulename") if hasattr(node, n)), None)
        relation = next((getattr(node, n) for n in ("relation", "table") if hasattr(node, n)), None)
        return Definition(verb=verb, relation=_table(relation) if relation is not None else None, name=name)

    return read


def _create_trigger(node: Node) -> Definition:
    verb = "CREATE CONSTRAINT TRIGGER" if node.isconstraint else "CREATE TRIGGER"
    others = (_table(node.constrrel),) if node.HasField("constrrel") else ()
    return Definition(verb=verb, relation=_table(node.relation), others=others, name=node.trigname)


def _create_statistics(node: Node) -> Definition:
    relations = [_table(r.range_var) for r in node.relations if r.HasField("range_var")]
    return Definition(verb="CREATE STATISTICS", relation=relations[0] if relations else None)


def _comment(node: Node) -> Definition:
    kind = _OBJECTS.get(pb.ObjectType.Name(node.objtype), "OBJECT")
    parts = tree.name_of(node.object.list.items) if node.object.HasField("list") else (node.object.string.sval,)
    owned = kind in ("COLUMN", "CONSTRAINT", "TRIGGER", "POLICY", "RULE")
    named = parts[:-1] if owned else parts
    relation = _named(named) if named and kind in ("TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "COLUMN") else None
    return Definition(verb=f"COMMENT ON {kind}", relation=relation)


def _schema_change(node: Node) -> Definition:
    kind = _OBJECTS.get(pb.ObjectType.Name(node.object_type), "OBJECT")
    relation = _table(node.relation) if node.HasField("relation") else None
    form = "SET SCHEMA" if type(node).__name__ == "AlterObjectSchemaStmt" else "OWNER TO"
    return Definition(verb=f"ALTER {kind}", relation=relation, actions=(Action(form=form),), if_exists=False)


def _alter_enum(node: Node) -> Definition:
    form = "RENAME VALUE" if node.old_val else "ADD VALUE"
    return Definition(verb="ALTER TYPE", actions=(Action(form=form, name=node.new_val),))


def _alter_domain(node: Node) -> Definition:
    forms = {
        "C": "ADD CONSTRAINT", "V": "VALIDATE CONSTRAINT", "X": "DROP CONSTRAINT", "T": "SET DEFAULT",
        "N": "DROP NOT NULL", "O": "SET NOT NULL",
    }  # fmt: skip
    subtype = node.subtype if isinstance(node.subtype, str) else str(node.subtype)
    inner = tree.inner(getattr(node, "def"))
    not_valid = bool(inner is not None and getattr(inner, "skip_validation", False))
    action = Action(form=forms.get(subtype, subtype), name=node.name or None, not_valid=not_valid)
    return Definition(verb="ALTER DOMAIN", actions=(action,))


def _refresh(node: Node) -> Definition:
    return Definition(verb="REFRESH MATERIALIZED VIEW", relation=_table(node.relation), concurrently=node.concurrent)


def _cluster(node: Node) -> Definition:
    return Definition(verb="CLUSTER", relation=_table(node.relation) if node.HasField("relation") else None)


def _write(verb: str) -> Reader:
    def read(node: Node) -> Definition:
        return Definition(verb=verb, relation=_table(node.relation))

    return read


def _copy(node: Node) -> Definition:
    relation = _table(node.relation) if node.HasField("relation") else None
    return Definition(verb="COPY FROM" if node.is_from else "COPY TO", relation=relation, value=node.filename or None)


_READERS: dict[str, Reader] = {
    "AlterTableStmt": _alter_table, "IndexStmt": _create_index, "DropStmt": _drop, "RenameStmt": _rename,
    "CreateStmt": _create_table, "TransactionStmt": _transaction, "VariableSetStmt": _set, "ReindexStmt": _reindex,
    "VacuumStmt": _vacuum, "TruncateStmt": _truncate, "LockStmt": _lock, "CreateTrigStmt": _create_trigger,
    "CreatePolicyStmt": _on_relation("CREATE POLICY"), "AlterPolicyStmt": _on_relation("ALTER POLICY"),
    "RuleStmt": _on_relation("CREATE RULE"), "CreateStatsStmt": _create_statistics, "CommentStmt": _comment,
    "AlterObjectSchemaStmt": _schema_change, "AlterOwnerStmt": _schema_change, "AlterEnumStmt": _alter_enum,
    "AlterDomainStmt": _alter_domain, "RefreshMatViewStmt": _refresh, "ClusterStmt": _cluster,
    "InsertStmt": _write("INSERT"), "UpdateStmt": _write("UPDATE"), "DeleteStmt": _write("DELETE"),
    "MergeStmt": _write("MERGE"), "CopyStmt": _copy,
}  # fmt: skip
