"""One comment, whatever happens: list, decide, write, list again, until nothing is left to do.

Two jobs that post at the same time each find both comments when they look again, and both keep the same one: that of
the latest run, of two equal ones the older comment.  What was written is remembered, for a list may lag behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from premortem.comment.fitting import fitted, length
from premortem.comment.forges import Comment, Comments, Gone, TooLong, comments_of, headers_of
from premortem.comment.marks import Mark, parted
from premortem.comment.places import Target
from premortem.comment.wire import Patience, Wire
from premortem.errors import ForgeError, ForgeRefused, Unanswered

_MOST_ROUNDS = 8
_MOST_UNANSWERED = 3
#: What is tried, in shares of the forge's limit, where the forge finds a comment too long.
_SHARES = (1.0, 0.9, 0.45, 0.1)


class Outcome(StrEnum):
    """What became of a comment; `LEFT` is that a later run had already written it."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    LEFT = "left to a later run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A comment that bears our mark, without it."""

    id: int
    run: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What has to be done so that one right comment is left."""

    create: bool = False
    update: int | None = None
    delete: tuple[int, ...] = ()
    outcome: Outcome = Outcome.UNCHANGED

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it should be."""
        return not self.create and self.update is None and not self.delete


def decide(ours: Sequence[Ours], text: str, run: int) -> Todo:
    """Return what to do about the comments that bear our mark."""
    if not ours:
        return Todo(create=True, outcome=Outcome.CREATED)
    kept = min(ours, key=lambda c: (-c.run, c.id))
    others = tuple(sorted(c.id for c in ours if c.id != kept.id))
    if kept.run > run > 0:
        return Todo(delete=others, outcome=Outcome.LEFT)
    if _same(kept.text, text):
        return Todo(delete=others)
    return Todo(update=kept.id, delete=others, outcome=Outcome.UPDATED)


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same comment: forges turn line ends round and cut blanks off."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def open_forge(target: Target, patience: Patience | None = None) -> Comments:
    """Return the comments of a target."""
    wire = Wire(api=target.api, headers=headers_of(target), ca_file=target.ca_file, patience=patience or Patience())
    return comments_of(target, wire)


def post(comments: Comments, mark: Mark, text: str) -> Outcome:
    """Leave exactly one comment with that mark and text, and return what had to be done for it.

    Raises ForgeError.
    """
    return _Settling(comments=comments, mark=mark, text=comments.harmless(_clean(text))).settle()


def _clean(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")


@dataclass(slots=True, kw_only=True)
class _Settling:
    """What one posting has done so far, as far as a list that lags behind would not show it."""

    comments: Comments
    mark: Mark
    text: str
    written: dict[int, Ours] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    share: int = 0
    unanswered: int = 0

    def settle(self) -> Outcome:
        outcome = Outcome.UNCHANGED
        for _ in range(_MOST_ROUNDS):
            todo = decide(self._ours(), self._fitted(), self.mark.run)
            if outcome is Outcome.UNCHANGED:
                outcome = todo.outcome
            if todo.is_nothing:
                return outcome
            self._do(todo)
        raise ForgeError(f"the comments change faster than they can be put right ({_MOST_ROUNDS} times tried)")

    def _ours(self) -> list[Ours]:
        listed = {c.id: c for c in self._marked(self.comments.all())}
        return [c for c in (listed | self.written).values() if c.id not in self.gone]

    def _marked(self, found: Iterable[Comment]) -> Iterable[Ours]:
        for comment in found:
            mark, text = parted(comment.body)
            if mark is not None and mark.id == self.mark.id and comment.may_be_ours:
                yield Ours(id=comment.id, run=mark.run, text=text)

    def _do(self, todo: Todo) -> None:
        if todo.create:
            self._create()
        if todo.update is not None:
            self._update(todo.update)
        for id in todo.delete:
            self._delete(id)

    def _create(self) -> None:
        try:
            made = self.comments.create(self._body())
        except TooLong:
            self._shorten()
        except Unanswered:
            self.unanswered += 1
            if self.unanswered == _MOST_UNANSWERED:
                raise  # until then the next look tells whether it was posted
        else:
            self.written[made.id] = Ours(id=made.id, run=self.mark.run, text=self._fitted())

    def _update(self, id: int) -> None:
        try:
            self.comments.update(id, self._body())
        except TooLong:
            self._shorten()
        except Gone:
            self.gone.add(id)
        except ForgeRefused:
            self.gone.add(id)  # somebody else's comment, or a token that can only read: creating one will tell
        else:
            self.written[id] = Ours(id=id, run=self.mark.run, text=self._fitted())

    def _delete(self, id: int) -> None:
        self.gone.add(id)
        try:
            self.comments.delete(id)
        except (Gone, ForgeRefused):
            return

    def _shorten(self) -> None:
        self.share += 1
        if self.share == len(_SHARES):
            raise ForgeError("the comment is too long however short it is made")

    def _body(self) -> str:
        return self.mark.on(self._fitted())

    def _fitted(self) -> str:
        most = int(self.comments.most * _SHARES[self.share])
        return fitted(self.text, most - length(replace(self.mark, run=10**18).line))
