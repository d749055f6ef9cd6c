"""Lets `python -m premortem` be the command."""

import sys

from premortem.cli import main

if __name__ == "__main__":
    sys.exit(main())
