"""What a repository tells about its queries and its CI, and the files that put premortem there.

Words: what was *seen* names the file that says so; what was *assumed* says why; a *proposal* is a file to write.

    root_of(folder)    -> Path
    look(root)         -> Seen
    propose(seen, …)   -> Proposal …      premortem.toml, a workflow, a CI job, a pre-commit hook, .gitattributes
    adopt(seen)        -> str …           the commands that accept what is there today

It reads and never runs what it finds; it writes nothing (the shell does), and overwrites nothing unasked.
"""

from premortem.repository.commands import adopt
from premortem.repository.looking import look, root_of
from premortem.repository.proposing import Proposal, propose
from premortem.repository.seen import ATTRIBUTES, LOCK_MERGES, Forge, Seen

__all__ = ["ATTRIBUTES", "LOCK_MERGES", "Forge", "Proposal", "Seen", "adopt", "look", "propose", "root_of"]
