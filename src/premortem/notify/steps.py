"""What to type: the diagnosis' actions, and where there is none, what always helps with that kind of alert."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from premortem import words
from premortem.model import Action, Alert, AlertKind, Cause, Diagnosis, Proof

_MOST_ACTIONS = 6
_MOST_SQL = 4_000


def actions(alert: Alert) -> tuple[Action, ...]:
    """Return what to do about an alert, the action to take first."""
    if alert.diagnosis is not None and alert.diagnosis.actions:
        return alert.diagnosis.actions[:_MOST_ACTIONS]
    return (_LOOKS[alert.kind],) if alert.kind in _LOOKS else (_asked(alert),)


def _asked(alert: Alert) -> Action:
    name = words.one_line(words.shortened(alert.instance, 60))
    says = f"look at {name} as it is now; where its premortem.toml is not, type its DSN in place of the name"
    return Action(says=says, command=f"premortem diagnose {shlex.quote(name)}")


_ACTIVITY = "FROM pg_catalog.pg_stat_activity"
_SINCE = "pg_catalog.now() - xact_start AS open_for, pg_catalog.now() - state_change AS in_state_for"
_OLDEST = Action(
    says="see the oldest transactions; pg_terminate_backend(pid) ends one, and undoes what it did",
    sql=(
        f"SELECT pid, usename, application_name, state, {_SINCE}\n  {_ACTIVITY}\n"
        " WHERE xact_start IS NOT NULL AND backend_type = 'client backend'\n ORDER BY xact_start LIMIT 10",
    ),
)
_LOOKS = {
    AlertKind.TRANSACTION: _OLDEST,
    AlertKind.IDLE: _OLDEST,
    AlertKind.BLOCKED: Action(
        says="see who blocks whom; pg_cancel_backend(pid) stops a statement, pg_terminate_backend(pid) its session",
        sql=(
            f"SELECT pid, pg_catalog.pg_blocking_pids(pid) AS blocked_by, usename, state, {_SINCE}\n  {_ACTIVITY}\n"
            " WHERE pg_catalog.cardinality(pg_catalog.pg_blocking_pids(pid)) > 0 OR pid IN\n"
            f"       (SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) {_ACTIVITY})\n ORDER BY xact_start",
        ),
    ),
    AlertKind.CONNECTIONS: Action(
        says="see who holds the connections",
        sql=(
            "SELECT datname, usename, application_name, state, pg_catalog.count(*)\n"
            f"  {_ACTIVITY}\n WHERE backend_type = 'client backend'\n GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 20",
        ),
    ),
    AlertKind.POOL: Action(says="see the pools, on PgBouncer's console", sql=("SHOW POOLS",)),
    AlertKind.UNREACHED: Action(
        says="see whether it takes connections, and what its log says", command='pg_isready -d "$DSN"'
    ),
}


def clean(action: Action) -> Action:
    """Return an action whose texts steer nothing and are of a bearable length."""
    return replace(
        action,
        says=words.one_line(words.shortened(action.says, 1_000)),
        sql=_texts(action.sql),
        undo=_texts(action.undo),
        command=words.plain(words.shortened(action.command, _MOST_SQL)),
        proof=words.one_line(words.shortened(action.proof, 300)),
    )


def _texts(said: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(words.plain(words.shortened(one, _MOST_SQL)).strip() for one in said[:_MOST_ACTIONS])


def heading(action: Action, place: int) -> str:
    """Return the line above what to type: the first is what to do now, the others are alternatives."""
    said = action.says
    takes = words.duration(action.takes) if action.takes else ""
    lasts = f" (takes about {takes})" if takes and takes not in said else ""
    return f"{'Do now' if place == 0 else 'Or'}: {said}{lasts}"


def proof(action: Action) -> str:
    """Return how well an action is proved; empty where it is advice, which proves nothing."""
    return "" if action.proof == Proof.ADVICE.value else action.proof


_DEFINED = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\b.*?\sON\s+(?:ONLY\s+)?(?P<what>\S.*)", re.IGNORECASE | re.DOTALL
)
_BTREE = re.compile(r"\s+USING\s+btree\b", re.IGNORECASE)


def index(diagnosis: Diagnosis) -> str:
    """Return the index of a diagnosis: table and columns of one that is missing, the name of one that there was.

    >>> sql = "CREATE INDEX CONCURRENTLY i ON public.order_items USING btree (product_sku, status);"
    >>> index(Diagnosis(cause=Cause.MISSING_INDEX, says="", confidence=1, actions=(Action(says="", sql=(sql,)),)))
    'order_items (product_sku, status)'
    """
    statements = (sql for action in diagnosis.actions[:1] for sql in action.sql)
    found = next(filter(None, map(_DEFINED.search, statements)), None)
    if found is None or (diagnosis.index and diagnosis.cause is not Cause.MISSING_INDEX):
        return diagnosis.index
    return words.one_line(_BTREE.sub("", found["what"][:300]).rstrip("; ").removeprefix("public."))


def lines(action: Action) -> tuple[str, ...]:
    """Return what to type, each statement ended."""
    sql = (one if one.rstrip().endswith(";") else f"{one};" for one in action.sql)
    return (*sql, *((action.command,) if action.command else ()))


def undone(action: Action) -> str:
    """Return how to undo it, on one line; empty where nobody needs to."""
    said = " ".join(one if one.rstrip().endswith(";") else f"{one};" for one in action.undo)
    return words.one_line(said)
