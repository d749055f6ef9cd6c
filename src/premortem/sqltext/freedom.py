"""What is known of the constants of a statement that a server was seen to run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from premortem.model import StatementKind
from premortem.sqltext.skeleton import Reduced


class Freedom(Enum):
    """Whether a constant may become a parameter.

    FIXED: no, its value is part of what the statement says.  CODE: it may, and mostly is the program's own.  VALUE: it
    is compared, inserted or assigned.
    """

    FIXED = auto()
    CODE = auto()
    VALUE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One constant: where it stands (byte offset), whether it may become a parameter, and the cast it then needs.

    `is_equal` is for what is compared by `=` or IN, `is_word` for a text there; `is_switch` for booleans, NULL and
    limits, which only vary on purpose; `is_pattern` for what LIKE matches.
    """

    offset: int
    freedom: Freedom
    cast: str | None = None
    is_equal: bool = False
    is_word: bool = False
    is_switch: bool = False
    is_pattern: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A reduced statement that was parsed.

    `slots` has one for each of its places, None for a parameter.  `variant` are the constants that belong to what the
    statement says: two statements of one fingerprint with different ones are two.
    """

    reduced: Reduced
    fingerprint: str
    kind: StatementKind
    slots: tuple[Slot | None, ...]
    variant: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameterized:
    """A text with `$n`, and where the values of each come from: a place's index, or minus the parameter's number."""

    text: str
    places: tuple[int, ...]
