"""The parser: libpg_query (PostgreSQL 18's own grammar) through postgast, and what it takes to call it safely.

Three traps, each met and measured.  protobuf refuses messages that are nested more than a hundred levels deep, which a
sum of fifty terms is: the limit is lifted.  libpg_query writes its tree recursively and overruns an 8 MB stack at about
30,000 levels: long statements are parsed on a thread with a stack of their own.  Places in its tree count bytes, the
position of an error counts characters from 1, as the server's does.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from premortem.errors import StatementError

#: postgast 0.2's type stub is no valid Python (fields called `None`), which stops mypy: these stay untyped on purpose,
#: and no other room sees them.
_postgast: Any = importlib.import_module("postgast")
_messages: Any = importlib.import_module("google.protobuf.message")
pb: Any = importlib.import_module("postgast.pg_query_pb2")
Node: TypeAlias = Any

_T = TypeVar("_T")

#: Statements up to this many characters cannot nest deeply enough to hurt (an operator and a term take two).
_SHORT = 20_000
#: Stack bytes per character of statement: measured, a level takes about 250 bytes and at least two characters.
_STACK_PER_CHARACTER = 512
_LONGEST = 4_000_000
#: Levels of an expression's tree, two for an operator: beyond this it is a program, not a condition.
_DEEPEST = 2_000


def _allow_deep_messages() -> None:
    try:
        implementation: Any = importlib.import_module("google._upb._message")
    except ImportError:
        return
    implementation.SetAllowOversizeProtos(True)


_allow_deep_messages()


def parse(text: str) -> Node:
    """Return the syntax tree, or raise StatementError with PostgreSQL's message and its 1-based position."""
    return _guarded(_postgast.parse, text)


def fingerprint(text: str) -> str:
    """Return libpg_query's fingerprint, the same for all values and lengths of lists."""
    return str(_guarded(_postgast.fingerprint, text).hex)


def normalized(text: str) -> str:
    """Return a statement with `$n` in place of its constants; what has placeholders already keeps them."""
    return str(_guarded(_postgast.normalize, text))


def one_statement(text: str) -> Node:
    """Return the only statement of a text without its wrapper, None where there is none; several are an error."""
    statements = parse(text).stmts
    if len(statements) > 1:
        raise StatementError("several statements where one was expected")
    return inner(statements[0].stmt) if statements else None


def inner(node: Node) -> Node:
    """Return what a `Node` wraps."""
    which = node.WhichOneof("node")
    return getattr(node, which) if which else None


def walk(root: Node) -> Iterator[Node]:
    """Yield every message of a tree, parents first, wrappers left out."""
    if root is not None:
        yield from (message for _, message in _postgast.walk(root))


def expression_sql(node: Node) -> str:
    """Return an expression's canonical SQL text."""
    target = pb.ResTarget(val=node)
    select = pb.SelectStmt(
        target_list=[pb.Node(res_target=target)],
        limit_option=pb.LimitOption.LIMIT_OPTION_DEFAULT,
        op=pb.SetOperation.SETOP_NONE,
    )
    return statement_sql(pb.Node(select_stmt=select)).removeprefix("SELECT ")


def statement_sql(node: Node) -> str:
    """Return a statement's canonical SQL text."""
    statement = pb.RawStmt(stmt=node)
    try:
        return str(_postgast.deparse(pb.ParseResult(stmts=[statement])))
    except (_postgast.PgQueryError, _messages.DecodeError, ctypes.ArgumentError) as error:
        raise StatementError(str(error)) from error  # ctypes wraps the RecursionError of a deep caller


def _is_deeper(root: Node, levels: int) -> bool:
    """Whether a tree has more levels than that; reading and writing it takes stack for each."""
    level = [root]
    for _ in range(levels):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Node) -> Iterator[Node]:
    for kind, value in node.ListFields():
        if kind.message_type is not None:
            yield from (value,) if isinstance(value, _messages.Message) else value


def name_of(parts: Iterable[Node]) -> tuple[str, ...]:
    """Return the words of a qualified name."""
    return tuple(part.string.sval for part in parts if part.HasField("string"))


def _guarded(call: Callable[[str], _T], text: str) -> _T:
    if "\0" in text:
        where = text.index("\0") + 1
        raise StatementError("the text contains a NUL byte, which PostgreSQL does not take", position=where)
    if len(text) > _LONGEST:
        raise StatementError(f"the statement has {len(text):,} characters, more than the parser can be trusted with")
    if len(text) <= _SHORT:
        return _translated(call, text)
    return _on_large_stack(lambda: _translated(call, text), _STACK_PER_CHARACTER * len(text))


def _translated(call: Callable[[str], _T], text: str) -> _T:
    try:
        return call(text)
    except _postgast.PgQueryError as error:
        raise StatementError(error.message, position=error.cursorpos or None) from error
    except _messages.DecodeError as error:
        raise StatementError("the statement is nested too deeply to be read") from error
    except UnicodeError as error:
        raise StatementError("the text is not valid Unicode") from error


_stack_lock = threading.Lock()


def _on_large_stack(call: Callable[[], _T], stack: int) -> _T:
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failed.append(error)

    with _stack_lock:
        before = threading.stack_size(max(16 << 20, stack))
        try:
            thread = threading.Thread(target=run, name="sql-parser", daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


@lru_cache(maxsize=4096)
def expression_tree(text: str) -> Node:
    """Return the tree of an expression."""
    statement = one_statement(f"SELECT 1 WHERE {text}\n")
    if not isinstance(statement, pb.SelectStmt) or not statement.HasField("where_clause"):
        raise StatementError("not an expression")
    if _is_deeper(statement.where_clause, _DEEPEST):
        raise StatementError("the expression is nested too deeply to be read")
    return statement.where_clause
