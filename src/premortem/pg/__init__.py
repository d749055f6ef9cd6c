"""PostgreSQL: sessions on anybody's server, and servers of our own.

The only room that imports the driver or knows where server programs come from.

```
start        a running server of our own      installed, clusters, keeper, places, embedded
session      one read-only transaction        dsn, border, capabilities
writer       a session that may write         for our own servers
lasting      a connection to ask every poll   lasting; console for PgBouncer's
running      a server that others started     joining, postmaster
named_sql    SQL files, a body per version    named
facts        what doctor tells                machine
```
It refuses to keep a server alive longer than its owner, to change anything in a session that was opened to read, and to
repeat a password.
"""

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from premortem.pg.border import context
from premortem.pg.capabilities import Can
from premortem.pg.clusters import Locale
from premortem.pg.dsn import describe, passwords
from premortem.pg.installed import Installation, exact_installation, installation, installations
from premortem.pg.joining import end_leftover, running
from premortem.pg.lasting import Lasting, console, lasting
from premortem.pg.machine import Fact, facts
from premortem.pg.named import NamedSQL, named_sql
from premortem.pg.places import cache_directory
from premortem.pg.server import Server, start
from premortem.pg.sessions import Session, Sql, session, writer

__all__ = [
    "SQL",
    "Can",
    "Composable",
    "Composed",
    "Fact",
    "Identifier",
    "Installation",
    "Lasting",
    "Literal",
    "Locale",
    "NamedSQL",
    "Server",
    "Session",
    "Sql",
    "cache_directory",
    "console",
    "context",
    "describe",
    "end_leftover",
    "exact_installation",
    "facts",
    "installation",
    "installations",
    "lasting",
    "named_sql",
    "passwords",
    "running",
    "session",
    "start",
    "writer",
]
