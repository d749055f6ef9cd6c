"""From records to executions: which lines tell of the same one, and which of none.

One execution may stand in a log up to five times: parsed, bound, executed, planned by auto_explain, and timed.  What a
session was last seen doing is kept until its next statement shows that nothing more comes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from premortem.capture.executed import Executed
from premortem.capture.logs.entry import FAILURES, Entry, moment
from premortem.capture.logs.plans import Told, told
from premortem.capture.logs.values import values

_MESSAGE = re.compile(
    r"(?:duration: [\d.]+ ms(?P<timed>\s+|\Z))?"
    r"(?:(?P<kind>statement|plan|(?P<fetch>execute fetch from)|execute|parse|bind)\b(?P<rest>.*))?",
    re.DOTALL,
)
_PREPARE = re.compile(r"prepare: (?P<text>.*)", re.DOTALL | re.IGNORECASE)
_FUNCTION = re.compile(r"(?:PL/\w+|SQL) function (?P<name>.+?)(?: line (?P<line>\d+)\b.*| statement \d+| during .*)?$")
_NESTS = re.compile(r"\bfunction\b|^SQL statement \"", re.MULTILINE)
#: States that say that a server could not do now what it could do at another time, and nothing against the statement:
#: constraints (23), rollbacks (40), resources (53), objects in use (55), cancels and timeouts (57).
_BAD_LUCK = ("23", "40", "53", "55", "57")
_BAD_LUCK_TEXTS = re.compile(
    r"canceling statement|deadlock detected|could not serialize|could not obtain lock|duplicate key value|violates "
    r"|terminating connection|out of shared memory|conflicting key value"
)
#: Sessions whose last statement is kept; beyond, the one seen longest ago is taken to be over.
_MOST_SESSIONS = 20_000
_MOST_CURSORS = 1_000


def executions(entries: Iterable[Entry]) -> Iterator[Executed]:
    """Yield what was executed, in the order of each session."""
    log = _Log()
    for entry in entries:
        yield from log.take(entry)
    for open_ in log.open.values():
        yield open_.executed


@dataclass(slots=True)
class _Open:
    """A session's last execution; `texts` are as the log has them, which errors and plans repeat."""

    executed: Executed
    texts: tuple[str, ...]
    is_plan: bool = False


@dataclass(slots=True)
class _Log:
    open: OrderedDict[str, _Open] = field(default_factory=OrderedDict)
    declared: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def take(self, entry: Entry) -> Iterator[Executed]:
        """Yield what this record shows to be over."""
        if entry.severity == "LOG":
            yield from self._log(entry)
        elif entry.severity in FAILURES:
            yield from self._failure(entry)

    def _log(self, entry: Entry) -> Iterator[Executed]:
        if entry.message.startswith("disconnection: "):
            yield from self._end(entry.session)
            return
        found = _MESSAGE.match(entry.message)
        if found is None or found["kind"] is None or found["fetch"] or found["kind"] in ("parse", "bind"):
            return
        if found["kind"] == "plan":
            yield from self._plan(entry, told(found["rest"].partition("\n")[2]))
            return
        text = _text(found["kind"], found["rest"])
        if text is not None:
            yield from self._statement(entry, text)

    def _statement(self, entry: Entry, text: str) -> Iterator[Executed]:
        executed, texts = _executed(entry, text)
        before = self.open.get(entry.session)
        if text[:7].lower() == "declare":
            self._declare(entry.session, text)
        if before is not None and before.is_plan and before.texts[0] in texts:
            plan = before.executed  # auto_explain tells of an execution before its duration is logged
            before.executed = replace(executed, plan=plan.plan, parameters=executed.parameters or plan.parameters)
            before.is_plan = False
            return
        yield from self._put(entry.session, _Open(executed=executed, texts=texts))

    def _declare(self, session: str, text: str) -> None:
        """Note a cursor: auto_explain tells of it when it is closed, long after."""
        self.declared[session, text] = None
        if len(self.declared) > _MOST_CURSORS:
            self.declared.popitem(last=False)

    def _plan(self, entry: Entry, plan: Told | None) -> Iterator[Executed]:
        if plan is None:
            return
        if entry.context and _NESTS.search(entry.context):
            executed = _about(entry, plan.text, plan.parameters)
            yield replace(executed, nested=True, function=_function(entry.context), plan=plan.plan)
            return
        before = self.open.get(entry.session)
        if before is not None and plan.text in before.texts and (_is_several(plan.text) or not before.executed.plan):
            known = before.executed.parameters
            before.executed = replace(before.executed, plan=plan.plan, parameters=known or plan.parameters)
            return
        if (entry.session, plan.text) in self.declared:
            return
        executed = replace(_about(entry, _run(plan.text), plan.parameters), plan=plan.plan)
        yield from self._put(entry.session, _Open(executed=executed, texts=(plan.text,), is_plan=True))

    def _failure(self, entry: Entry) -> Iterator[Executed]:
        if entry.statement is None or _is_bad_luck(entry):
            return
        before = self.open.get(entry.session)
        if before is not None and entry.statement in before.texts and not before.is_plan:
            before.executed = replace(before.executed, failed=True)
        else:
            yield replace(_about(entry, entry.statement, None), failed=True)

    def _put(self, session: str, opened: _Open) -> Iterator[Executed]:
        yield from self._end(session)
        self.open[session] = opened
        if len(self.open) > _MOST_SESSIONS:
            yield self.open.popitem(last=False)[1].executed

    def _end(self, session: str) -> Iterator[Executed]:
        before = self.open.pop(session, None)
        if before is not None:
            yield before.executed


def _text(kind: str, rest: str) -> str | None:
    """Return the statement of `statement: …` and `execute NAME: …`."""
    name, colon, text = rest.partition(": ")
    return text if colon and (kind != "statement" or not name) else None


def _executed(entry: Entry, text: str) -> tuple[Executed, tuple[str, ...]]:
    """Return an execution and how the log may call it; EXECUTE runs what was prepared, with values of its own."""
    prepared = _PREPARE.match(entry.detail) if entry.detail else None
    if prepared:
        whole = f"{prepared['text'].rstrip().rstrip(';')}; {text}"
        return _about(entry, whole, None), (text, prepared["text"])
    return _about(entry, text, values(entry.detail)), (text,)


def _run(text: str) -> str:
    """Return the text of a plan; that of a prepared statement says PREPARE although it was executed."""
    return f"{text.rstrip().rstrip(';')}; EXECUTE prepared" if text[:8].lower().startswith("prepare ") else text


def _is_several(text: str) -> bool:
    """Whether a text may have several statements, each of which is planned under the whole text."""
    return ";" in text.rstrip(" ;\n\t")


def _about(entry: Entry, text: str, parameters: tuple[str | None, ...] | None) -> Executed:
    return Executed(
        text=text,
        at=moment(entry.at),
        session=entry.session,
        client=entry.client,
        transaction=entry.transaction,
        database=entry.database,
        role=entry.role,
        application=entry.application,
        parameters=parameters,
        line=entry.line,
    )


def _function(context: str) -> str | None:
    """Return the innermost function of a context, with its line: `f(integer), line 3`."""
    for line in context.splitlines():
        found = _FUNCTION.search(line)
        if found:
            return f"{found['name']}, line {found['line']}" if found["line"] else found["name"]
    return None


def _is_bad_luck(entry: Entry) -> bool:
    if entry.sqlstate and entry.sqlstate != "00000":
        return entry.sqlstate.startswith(_BAD_LUCK)
    return bool(_BAD_LUCK_TEXTS.search(entry.message))
