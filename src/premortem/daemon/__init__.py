"""Watches instances without end: polls, steps, commits, diagnoses, delivers.

Words: a *worker* watches one instance, a *round* tells one channel, the *clinic* finds out why, *chores* are done once
in a while, the *backlog* is what is not in the store yet.

    run(started)               until a signal; `once`: for one window             running
    ├── fleet → worker         lease, poll, step, commit, glance                  eyes, statements, knowledge, backlog
    ├── clinic                 diagnoses and plans in the background, in time
    ├── mail → round           a thread per channel                               delivering
    ├── chores                 partitions, usual values, deploys to announce
    └── door                   /metrics, /healthz, /readyz, POST /deploys         http, gauges, deploys
    check(started)             whether it could be run: settings, secrets, store, instances, channels

What it refuses: to be ahead of the store with what it tells, to stop watching because the store, a channel or another
instance is down, and to show a secret.
"""

from premortem.daemon.checking import check
from premortem.daemon.journal import Journal
from premortem.daemon.running import Started, run
from premortem.daemon.signals import Orders
from premortem.secrets import Secrets

__all__ = ["Journal", "Orders", "Secrets", "Started", "check", "run"]
