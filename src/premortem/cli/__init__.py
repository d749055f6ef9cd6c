"""The command line: parse, open what touches the world, choose a renderer, exit.

```
main(argv)                  entry
├── parser.build            argparse; imports nothing else
├── commands.<name>.run     imported only for the command that was typed
└── border.guarded          errors become one sentence and an exit code; Ctrl-C, a closed pipe, a full disk
```
"""

from premortem.cli.entry import main

__all__ = ["main"]
