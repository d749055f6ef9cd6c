"""A plan's shape: what it does, without what it costs, so that two plans can be told apart or found equal."""

from __future__ import annotations

from premortem.model import Node, Plan


def shape(plan: Plan | Node) -> str:
    """Return a stable signature: node kinds, join types, relations by name and occurrence, and indexes.

    Costs, aliases, conditions and the number of workers are left out; `t#2` is the second node that reads t.
    """
    return _Shape().of(plan.root if isinstance(plan, Plan) else plan)


class _Shape:
    """Counts how often each relation was met on the way down."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def of(self, node: Node) -> str:
        own = self._label(node)
        below = ", ".join(self.of(child) for child in node.children)
        return f"{own}({below})" if below else own

    def _label(self, node: Node) -> str:
        parts = [node.subplan_name.split(" (")[0] + ":" if node.subplan_name else "", kind(node)]
        parts += [f"on {self._occurrence(node)}" if node.relation is not None else ""]
        parts += [f"using {node.index}" if node.index is not None else ""]
        parts += ["backward" if node.scan_direction == "Backward" else ""]
        return " ".join(p for p in parts if p)

    def _occurrence(self, node: Node) -> str:
        name = node.relation.sql if node.relation is not None else ""
        if node.kind != "ModifyTable":
            self._met[name] = self._met.get(name, 0) + 1
        count = self._met.get(name, 1)
        return f"{name}#{count}" if count > 1 else name


def kind(node: Node) -> str:
    """Return what EXPLAIN's text form calls a node, such as `Parallel Hash Left Join` or `Partial HashAggregate`."""
    named = _joined(node) or _aggregated(node) or _modified(node) or node.kind
    return f"Parallel {named}" if node.parallel_aware else named


def _joined(node: Node) -> str | None:
    if node.join_type in (None, "Inner") or not (node.kind == "Nested Loop" or node.kind.endswith(" Join")):
        return None
    return f"{node.kind.removesuffix(' Join')} {node.join_type} Join"


def _aggregated(node: Node) -> str | None:
    if node.kind == "SetOp":
        command = node.raw.get("Command")
        hashed = "HashSetOp" if node.strategy == "Hashed" else "SetOp"
        return f"{hashed} {command}" if isinstance(command, str) else hashed
    if node.kind != "Aggregate":
        return None
    prefix = {"Sorted": "Group", "Hashed": "Hash", "Mixed": "Mixed"}.get(node.strategy or "", "")
    mode = node.raw.get("Partial Mode")
    return f"{mode} {prefix}Aggregate" if mode in ("Partial", "Finalize") else f"{prefix}Aggregate"


def _modified(node: Node) -> str | None:
    if node.operation is None:
        return None
    return f"Foreign {node.operation}" if node.kind == "Foreign Scan" else node.operation
