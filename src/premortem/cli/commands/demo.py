"""`premortem demo`: the incident end to end."""

from __future__ import annotations

import argparse

from premortem import demo


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    return demo.run(keep=arguments.keep)
