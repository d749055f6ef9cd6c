"""What is asked of a mirror, written down in it, so that going on makes the same rows as beginning did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from premortem.model import RelationName


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a mirror is to be, beside the profile: its rows are a pure function of both.

    `scale` multiplies every table, `rows` bounds their sum, `tables` names those that get rows (None: all), and
    `shift_to` is the moment that becomes the profile's own.
    """

    scale: float = 1.0
    rows: float | None = None
    seed: int = 0
    tables: tuple[RelationName, ...] | None = None
    shift_to: datetime | None = None

    def dump(self) -> str:
        """Return the options as JSON; equal options give equal text.

        >>> Options(seed=3).dump()
        '{"rows": null, "scale": 1.0, "seed": 3, "shift_to": null, "tables": null}'
        """
        tables = None if self.tables is None else sorted([t.schema, t.name] for t in self.tables)
        shift = self.shift_to.isoformat() if self.shift_to else None
        fields = {"scale": self.scale, "rows": self.rows, "seed": self.seed, "tables": tables, "shift_to": shift}
        return json.dumps(fields, sort_keys=True)

    @staticmethod
    def load(text: str) -> Options:
        """Return the options that `dump` wrote.

        >>> Options.load(Options(scale=0.5).dump()) == Options(scale=0.5)
        True
        """
        fields: Mapping[str, object] = json.loads(text)
        tables, rows, shift = fields["tables"], fields["rows"], fields["shift_to"]
        return Options(
            scale=float(str(fields["scale"])),
            rows=None if rows is None else float(str(rows)),
            seed=int(str(fields["seed"])),
            tables=_names(tables) if isinstance(tables, list) else None,
            shift_to=None if shift is None else datetime.fromisoformat(str(shift)),
        )


def _names(pairs: list[list[str]]) -> tuple[RelationName, ...]:
    return tuple(RelationName(schema=schema, name=name) for schema, name in pairs)


def same_mirror(mine: Options, theirs: Options) -> bool:
    """Whether both ask for one mirror.

    The moment that times are shifted to is the first build's: whoever goes on later means the same mirror.
    """
    shifted = (mine.shift_to is None) == (theirs.shift_to is None)
    return shifted and _without_moment(mine) == _without_moment(theirs)


def _without_moment(options: Options) -> tuple[object, ...]:
    tables = None if options.tables is None else frozenset(options.tables)
    return (options.scale, options.rows, options.seed, tables)


def key(digest: str, options: Options, *more: str) -> str:
    """Return a short name for the mirror of that profile with those options."""
    whole = "\0".join((digest, options.dump(), *more))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]
