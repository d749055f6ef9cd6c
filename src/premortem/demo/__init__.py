"""The incident of the post-mortem, end to end, on a server of our own: what premortem would have said six weeks before.

```
run
├── shop.load        a developer's small copy, and a production of two million order items
├── premortem …      the same commands that a user types: profile pull, check
└── shop.measure     the query before and after the index that the report proposed
```

Nothing is staged: the numbers are measured as it runs, and the index is the one that `check` wrote into its report.
"""

from premortem.demo.story import run

__all__ = ["run"]
