"""Runs a test suite or reads a log, and keeps every distinct statement that reached the server.

Words: a *suite* is any command that uses a database; a *target* is the server's address as the suite gets it; a
*capture* is what came of it: the statements, with sample values, and the schemas that the suite's migrations built.

    run(command)      -> Capture     running → server, suite, watching (schemas), following → logs
    attach(dsn, …)    -> Capture     a server that is there already
    from_logs(paths)  -> Capture     logs and dumps
    read, write       -> Capture     the file

A suite's command is run as it stands: it gets a server by its environment, and nothing else changes for it.  The room
refuses to judge anything, and to change a setting of a server that is not its own.
"""

from premortem.capture.attached import attach
from premortem.capture.captured import Capture, Schema
from premortem.capture.file import is_capture, read, write
from premortem.capture.logs import resolved
from premortem.capture.reading import from_logs
from premortem.capture.running import run
from premortem.capture.server import Wanted

__all__ = ["Capture", "Schema", "Wanted", "attach", "from_logs", "is_capture", "read", "resolved", "run", "write"]
