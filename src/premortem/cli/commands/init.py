"""`premortem init`: look at the repository and write what puts premortem into its CI."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from premortem import repository, words
from premortem.errors import InputError, PremortemError


def run(arguments: argparse.Namespace) -> int:
    """Say what was found and assumed, and write the files that are not there yet."""
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint="name the folder of a repository")
    root = repository.root_of(folder.resolve())
    seen = repository.look(root, repository.Forge(arguments.ci) if arguments.ci else None)
    proposed = repository.propose(seen)
    print(f"{words.plain(root.name)}:")
    for remark in seen.remarks:
        print(f"  {words.plain(str(remark))}")
    if arguments.dry_run:
        _show(proposed)
        return 0
    _write(root, proposed, force=arguments.force)
    _next(seen)
    return 0


def _show(proposed: Sequence[repository.Proposal]) -> None:
    for proposal in proposed:
        print(f"\n--- {proposal.path}{' (is there already)' if proposal.exists else ''}: {proposal.says}\n")
        print(proposal.text, end="")


def _write(root: Path, proposed: Sequence[repository.Proposal], *, force: bool) -> None:
    for proposal in proposed:
        path = root / proposal.path
        if (proposal.exists or path.exists() or path.is_symlink()) and not force:
            print(
                f"  kept: {proposal.path} is there already{'; add to it' if proposal.add else ', --force replaces it'}"
            )
            print("".join(f"      {line}\n" for line in proposal.add.splitlines()), end="")
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(proposal.text, "utf-8")
        except OSError as error:
            raise PremortemError(f"{path} could not be written: {error.strerror}") from error
        print(f"  wrote: {proposal.path} ({proposal.says})")


def _next(seen: repository.Seen) -> None:
    print("\nThen")
    if not seen.ignores_profile:
        print("  add to .gitignore: *.profile, *.capture (they tell of production, and of test data)")
    print("  let a role read the profile, and nothing else: premortem profile grants --role ci")
    print("  follow the first lines of what was written; docs/how-to/ci.md says more")
    if repository.ATTRIBUTES in seen.existing and not seen.merges_lock:
        print(f"  add to {repository.ATTRIBUTES}: {repository.LOCK_MERGES}")
    if commands := repository.adopt(seen):
        print("  accept what is there already, and commit premortem.lock:")
        print("".join(f"      {words.plain(command)}\n" for command in commands), end="")
