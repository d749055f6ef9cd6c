"""What the suite's migrations built: seen while the suite runs, for its databases are often gone at its end.

Words: a *look* asks a database for the digest of its schema and, where that is new, takes a *snapshot*; a *state* is a
schema that a database had from one look to the next; a *gate* makes a DROP wait until we have looked.

    Watcher            a thread that follows the log and looks when DDL has settled, at a gate, before DROP DATABASE
    ├── scan           what of the log concerns us
    ├── look           digest and snapshot of one database
    ├── gate           the event trigger
    └── states         which of a database's states its suite was about
"""

from premortem.capture.watching.gate import install
from premortem.capture.watching.states import Seen, chosen
from premortem.capture.watching.watcher import OURS, Watcher

__all__ = ["OURS", "Seen", "Watcher", "chosen", "install"]
