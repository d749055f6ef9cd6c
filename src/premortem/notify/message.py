"""The message of an alert, before any channel: what whoever is woken up reads first, second and third.

First what hurts and where, then why and since which deploy, then what to type.  Everything else comes after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from premortem import words
from premortem.model import Action, AlertChange, Turn, Urgency
from premortem.notify import facts, naming, steps
from premortem.notify.facts import Fact

#: Texts that come from servers and repositories; longer ones help nobody, and 1 MB of them stops a phone.
_MOST = 20_000
_MOST_NOTES = 8


class Stage(StrEnum):
    """What a message is about: an alert's turn, or one that opened and closed before anybody could be told."""

    OPENED = "opened"
    WORSE = "worse"
    BETTER = "better"
    DIAGNOSED = "diagnosed"
    CLOSED = "closed"
    PAST = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Something to open."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told, whatever the channel.

    `title` fits a phone's lock screen, `why` is the answer in one or two sentences, `says` what was measured.
    `actions` begin with the one to take.  `notes` are what makes the answer less sure, `late` why it comes only now.
    `test` marks one that tries a channel out.
    """

    id: str
    key: str
    stage: Stage
    urgency: Urgency
    title: str
    why: str
    says: str
    change: AlertChange
    facts: tuple[Fact, ...] = ()
    actions: tuple[Action, ...] = ()
    plan: str = ""
    plan_basis: str = ""
    statement: str = ""
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    late: str = ""
    test: bool = False

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do about it."""
        return self.stage in (Stage.CLOSED, Stage.PAST)

    @property
    def tag(self) -> str:
        """One or two words before the title: how urgent it is, or what became of it."""
        return _TAGS[self.stage].format(self.urgency.value.upper())


_TAGS = {
    Stage.OPENED: "{}",
    Stage.WORSE: "{}, WORSE",
    Stage.DIAGNOSED: "{}, CAUSE FOUND",
    Stage.BETTER: "BETTER",
    Stage.CLOSED: "CLOSED",
    Stage.PAST: "OVER",
}


def message(change: AlertChange, *, link: str = "", earlier: Sequence[AlertChange] = (), known: bool = True) -> Message:
    """Return the message of a change.

    `earlier` are changes of the same alert that the channel was not told of and that this one supersedes; `known` is
    whether the channel was told before that the alert is open.  `link` is the address of a page on the alert, in which
    {key}, {instance}, {database} and {subject} are filled in.
    """
    stage = _stage(change, earlier, known)
    said = Message(
        id=change.id,
        key=change.alert.key,
        stage=stage,
        urgency=change.alert.urgency,
        title=naming.title(change.alert, stage.value),
        why=_why(change, stage),
        says=_clean(change.alert.says),
        change=change,
        facts=facts.facts(change.alert, over=stage in (Stage.CLOSED, Stage.PAST)),
        links=_links(change, link),
        notes=_notes(change, earlier),
    )
    return said if said.is_over else _with_what_to_do(said)


def _with_what_to_do(said: Message) -> Message:
    diagnosis = said.change.alert.diagnosis
    statement = said.change.alert.statement
    return replace(
        said,
        actions=tuple(steps.clean(action) for action in steps.actions(said.change.alert)),
        plan=_clean(diagnosis.plan) if diagnosis else "",
        plan_basis=_clean(diagnosis.plan_basis) if diagnosis else "",
        statement=_clean(statement.text) if statement else "",
    )


def _stage(change: AlertChange, earlier: Sequence[AlertChange], known: bool) -> Stage:
    """Return what the message is about, given what the channel knows of the alert."""
    opens = not known or any(one.turn is Turn.OPENED for one in earlier)
    if change.turn is Turn.CLOSED:
        return Stage.PAST if opens else Stage.CLOSED
    return Stage.OPENED if opens else Stage(change.turn.value)


def _why(change: AlertChange, stage: Stage) -> str:
    diagnosis = change.alert.diagnosis
    if stage in (Stage.CLOSED, Stage.PAST):
        return naming.ending(change.alert, _clean(diagnosis.says) if diagnosis else "")
    if diagnosis is None:
        return ""
    return _clean(diagnosis.says)


def _notes(change: AlertChange, earlier: Sequence[AlertChange]) -> tuple[str, ...]:
    alert = change.alert
    found = list(naming.spells(alert, earlier))
    if alert.provisional and alert.is_open:
        found.append("Rests on executions that still run; the figure grows until they end.")
    if alert.window is not None:
        found += [_sentence(doubt) for doubt in alert.window.doubts]
    if alert.diagnosis is not None:
        found += [_sentence(f"{gap.subject}: {gap.says}") for gap in alert.diagnosis.gaps]
    return tuple(found[:_MOST_NOTES])


def _links(change: AlertChange, link: str) -> tuple[Link, ...]:
    alert = change.alert
    page = _filled(link, change)
    own = (Link(text="Details", url=page),) if naming.is_web(page) else ()
    suspects = alert.diagnosis.suspects if alert.diagnosis else ()
    deploys = (one.deploy for one in suspects[:2] if naming.is_web(one.deploy.url))
    return (*own, *(Link(text=f"Deploy {naming.revision(one.revision)}", url=one.url) for one in deploys))


def _filled(link: str, change: AlertChange) -> str:
    alert = change.alert
    known = (("key", alert.key), ("instance", alert.instance), ("database", alert.database), ("subject", alert.subject))
    for name, value in known:
        link = link.replace(f"{{{name}}}", naming.in_url(value))
    return link


def _sentence(text: str) -> str:
    said = words.one_line(words.shortened(text, 300))
    return said if said.endswith((".", "…")) else f"{said}."


def _clean(text: str) -> str:
    return words.plain(words.shortened(text, _MOST)).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Several messages in one, for a channel that is told only so often an hour; `left_out` counts what is unlisted."""

    id: str
    at: datetime
    most_per_hour: int
    messages: tuple[Message, ...] = field(default=())

    @property
    def title(self) -> str:
        """What it is, for a lock screen."""
        pages = sum(one.urgency is Urgency.PAGE and not one.is_over for one in self.messages)
        paging = f", {words.plural(pages, 'page')} among them" if pages else ""
        return f"{words.plural(len(self.messages), 'alert')} in one message{paging}"

    @property
    def why(self) -> str:
        """Why they do not come one by one."""
        return f"This channel is told {words.plural(self.most_per_hour, 'message')} an hour at most."
