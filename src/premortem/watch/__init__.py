"""Decides from samples what hurts: deltas, windows, alerts.  Pure: time is handed in.

Words: a *delta* is what an entry did between two samples, a *window* what a statement did in the last minutes; a
*reading* is one figure against its limit; an *alert* is a reading that stayed over its limit, until it stayed under it.

    step(state, seen, told, settings, now) -> Stepped      one poll: the next state, and what is to be told
    ├── deltas, advance, windows      what each statement did                     deltas, rings, windows
    ├── find (one per kind)           readings        slow, heavy, rising, planning, indexes, places, sessions, blocking
    ├── gathered                      many that open together are one             gathering
    └── turn (one per key)            opened, worse, better, closed               lifecycle
    diagnosed(state, key, opened_at, diagnosis, now) -> Stepped
    abandoned(state, settings, now) -> Stepped             nobody watches the instance any more
    fresh(instance), encode(state), decode(document)       what survives a restart
    identify(text, database, role) -> Statement            what a text is, without its values

It refuses to read a clock, to touch a server, and to say something that the samples did not cover.
"""

from premortem.watch.checkpoint import decode, encode
from premortem.watch.choosing import limits_for, owners_of, poll_seconds, services_of
from premortem.watch.deltas import Delta, LastFacts, deltas
from premortem.watch.identity import identify, identify_session
from premortem.watch.naming import name
from premortem.watch.readings import key_of
from premortem.watch.rings import Rings, advance, covered, windows
from premortem.watch.state import State, fresh
from premortem.watch.stepping import Stepped, abandoned, diagnosed, step
from premortem.watch.told import Told

__all__ = [
    "Delta",
    "LastFacts",
    "Rings",
    "State",
    "Stepped",
    "Told",
    "abandoned",
    "advance",
    "covered",
    "decode",
    "deltas",
    "diagnosed",
    "encode",
    "fresh",
    "identify",
    "identify_session",
    "key_of",
    "limits_for",
    "name",
    "owners_of",
    "poll_seconds",
    "services_of",
    "step",
    "windows",
]
