"""What production looks like: taken from a server, kept in a file, compared, and shown to be no more than it says.

```
pull        server, relations, statistics, pages, objects, workload, then values and pseudonyms
write, read codec, file
diff        difference
grants_sql  grants
json_schema contract
```
"""

from premortem.catalog.contract import json_schema
from premortem.catalog.difference import Difference, Subject, diff
from premortem.catalog.file import read, write
from premortem.catalog.grants import grants_sql
from premortem.catalog.pull import pull
from premortem.catalog.restricting import restricted

__all__ = ["Difference", "Subject", "diff", "grants_sql", "json_schema", "pull", "read", "restricted", "write"]
