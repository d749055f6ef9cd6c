"""The state as JSON, to go on from after a restart; what comes back is exactly what was put away."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from premortem.errors import CheckpointError
from premortem.model import IndexSeen, codec
from premortem.watch import rings
from premortem.watch.state import State

#: Counts up when a checkpoint of before cannot be read as what it meant.
VERSION = 1
_INVENTORY = tuple[IndexSeen, ...]


def encode(state: State) -> dict[str, object]:
    """Return a state's JSON form."""
    return {
        "version": VERSION,
        "rings": rings.encode(state.rings),
        "indexes": None if state.indexes is None else _indexes(_Same(state.indexes)),
        "state": codec.encode(replace(state, rings=rings.Rings(), indexes=None)),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """An inventory that is the same only as itself: to compare thousands of indexes would cost what it saves."""

    indexes: tuple[IndexSeen, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.indexes is other.indexes

    def __hash__(self) -> int:
        return id(self.indexes)


@lru_cache(maxsize=256)
def _indexes(inventory: _Same) -> str:
    """Return an inventory as one text: it is read once a minute, put away at every poll, and may be long."""
    return json.dumps(codec.encoder(_INVENTORY)(inventory.indexes), separators=(",", ":"))


def decode(document: object) -> State:
    """Return the state of a checkpoint; raises CheckpointError where it cannot be read."""
    if not isinstance(document, dict) or "version" not in document or "state" not in document:
        raise CheckpointError("the checkpoint is none of premortem's", hint=_ANEW)
    if document["version"] != VERSION:
        says = f"the checkpoint is of version {document['version']!r:.20}, and this premortem reads version {VERSION}"
        raise CheckpointError(says, hint=_ANEW)
    try:
        found: State = codec.decode(State, document["state"])
        said = document.get("indexes")
        indexes = None if said is None else codec.decode(_INVENTORY, json.loads(said))
        return replace(found, rings=rings.decode(document.get("rings")), indexes=indexes)
    except codec.Misfit as misfit:
        raise CheckpointError(f"the checkpoint does not fit: {misfit}", hint=_ANEW) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # lists of figures, read by place
        raise CheckpointError(f"the checkpoint's windows or indexes do not fit: {error}", hint=_ANEW) from error


_ANEW = "premortem watch begins anew: what is open stays so, and the first window takes its time to fill"
