"""Why a statement is slow on a live server, and what to type next.

```
diagnose(offender, live=…, profile=…, ledger=…, now=…) -> Diagnosis
├── reading.readable        the statement as a query, or why it cannot be planned
├── live                    its names, tables and plan on the server itself: EXPLAIN without ANALYZE
├── judging.judged          a twin of its tables as they are now: findings, and the index that cures them
├── accusing                which deploy introduced it: pure
├── theories.theories       what may be the cause, the likeliest first: pure
└── telling.told            one answer, what to type, what could not be found out: pure
connect(dsn, database)      a session for it
plan_shape(live, statement) the plan to notice a change by
look(reader, dsn, wanted)    all of this for a server that nobody watches: what hurts now, and why
Profiles                    what was there before, kept fresh in a folder
```
Words: an *offender* is what hurts with all that was seen of it; a *theory* is one cause that evidence speaks for; a
*suspect* is a deploy.  The room refuses to execute a statement, to write anywhere but into its own folder, and to show
a value of a row.
"""

from __future__ import annotations

from datetime import datetime

from premortem import pg
from premortem.diagnosis.accusing import suspects
from premortem.diagnosis.live import connect, plan_shape
from premortem.diagnosis.looking import Wanted, look, opened
from premortem.diagnosis.offender import NOTHING_KNOWN, Ledger, Offender, Sizes, offender
from premortem.diagnosis.profiles import Profiles
from premortem.errors import PremortemError
from premortem.model import Diagnosis, Profile
from premortem.sampling import Reader
from premortem.settings import Settings

__all__ = [
    "NOTHING_KNOWN",
    "Ledger",
    "Offender",
    "Profiles",
    "Reader",
    "Sizes",
    "Wanted",
    "connect",
    "diagnose",
    "look",
    "offender",
    "opened",
    "plan_shape",
    "suspects",
]


def diagnose(
    offender: Offender,
    *,
    live: pg.Session | PremortemError | None,
    profile: Profile | None = None,
    ledger: Ledger = NOTHING_KNOWN,
    now: datetime,
    settings: Settings | None = None,
    seconds: float = 4.0,
) -> Diagnosis:
    """Return why it hurts, how sure that is, and what to type: whatever can be said in the time given.

    `live` is a session of `connect` to the statement's database, or why there is none; `profile` the instance's kept
    one, which tells what was there before, and stands in for a server that does not answer.
    """
    from premortem.diagnosis import diagnosing  # rules, advisor and twin: a look begins before they are there

    return diagnosing.diagnose(
        offender, live=live, profile=profile, ledger=ledger, now=now, settings=settings, seconds=seconds
    )
