"""The state as JSON, to go on from after a restart; what comes back is exactly what was put away."""

from __future__ import annotations

from dataclasses import replace

from premortem.errors import CheckpointError
from premortem.model import codec
from premortem.watch import rings
from premortem.watch.state import State

#: Counts up when a checkpoint of before cannot be read as what it meant.
VERSION = 1


def encode(state: State) -> dict[str, object]:
    """Return a state's JSON form."""
    return {
        "version": VERSION,
        "rings": rings.encode(state.rings),
        "state": codec.encode(replace(state, rings=rings.Rings())),
    }


def decode(document: object) -> State:
    """Return the state of a checkpoint; raises CheckpointError where it cannot be read."""
    if not isinstance(document, dict) or "version" not in document or "state" not in document:
        raise CheckpointError("the checkpoint is none of premortem's", hint=_ANEW)
    if document["version"] != VERSION:
        says = f"the checkpoint is of version {document['version']!r:.20}, and this premortem reads version {VERSION}"
        raise CheckpointError(says, hint=_ANEW)
    try:
        found: State = codec.decode(State, document["state"])
        return replace(found, rings=rings.decode(document.get("rings")))
    except codec.Misfit as misfit:
        raise CheckpointError(f"the checkpoint does not fit: {misfit}", hint=_ANEW) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # lists of figures, read by place
        raise CheckpointError(f"the checkpoint's windows do not fit: {error}", hint=_ANEW) from error


_ANEW = "premortem watch begins anew: what is open is opened again, and the first window takes its time to fill"
