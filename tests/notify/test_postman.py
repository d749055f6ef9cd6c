"""Delivery: in order, once, in the end; what waits, what is told as one, what is left out, and what is given up."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.errors import StoreError
from premortem.model import Alert, AlertChange, Deploy, Turn, Urgency
from premortem.notify import Digest, Message, Outcome, Postman, Round, Stage, Verdict, admits, rounds
from premortem.settings import Channel
from tests.notify.incidents import AT, FIRST_SEED, KINDS, SECOND_SEED, SIX_WEEKS_AGO, change, closed
from tests.notify.outbox import Memory

MINUTE = timedelta(minutes=1)
DONE = Outcome(verdict=Verdict.DONE, says="ok")
BUSY = Outcome(verdict=Verdict.LATER, says="answered 503", status=503)
LIMITED = Outcome(verdict=Verdict.LATER, says="answered 429", status=429, after=timedelta(hours=1), whole=True)
REFUSED = Outcome(verdict=Verdict.NEVER, says="answered 404: no_service", status=404)


@dataclass(slots=True)
class Scripted:
    """A sender that keeps what it was given and answers by script."""

    answers: list[Outcome] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    deploys: list[Deploy] = field(default_factory=list)
    usual: Outcome = DONE
    kind: str = "slack"
    shows_past: bool = True

    def _answer(self) -> Outcome:
        return self.answers.pop(0) if self.answers else self.usual

    def send(self, message: Message, now: datetime) -> Outcome:
        outcome = self._answer()
        if outcome.verdict is Verdict.DONE:
            self.told.append(message)
        return outcome

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        outcome = self._answer()
        if outcome.verdict is Verdict.DONE:
            self.digests.append(digest)
        return outcome

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        self.deploys.append(deploy)
        return self._answer()

    def keep(self, alerts: object, now: datetime, *, link: str) -> Outcome | None:
        return None


@dataclass(slots=True)
class Post:
    """A postman, what he carries from and whom he tells."""

    outbox: Memory = field(default_factory=Memory)
    sender: Scripted = field(default_factory=Scripted)
    channel: Channel = field(default_factory=lambda: Channel(name="c", kind="slack"))
    postman: Postman | None = None

    def deliver(self, now: datetime) -> Round:
        if self.postman is None:
            self.restart()
        assert self.postman is not None
        return self.postman.deliver(now)

    def restart(self) -> None:
        self.postman = Postman(channel=self.channel, sender=self.sender, outbox=self.outbox, chance=lambda: 1.0)

    @property
    def stages(self) -> list[Stage]:
        return [one.stage for one in self.sender.told]


def numbered(n: int, urgency: Urgency = Urgency.TICKET) -> Alert:
    return replace(FIRST_SEED, key=f"{n:020x}", urgency=urgency, opened_at=AT + timedelta(milliseconds=n))


def test_each_change_is_told_once_and_in_order() -> None:
    post = Post()
    for told in (change(Turn.OPENED, FIRST_SEED), change(Turn.WORSE, FIRST_SEED, after=MINUTE), closed(FIRST_SEED)):
        post.outbox.put(told)
        post.deliver(told.at)
        post.deliver(told.at)
    assert post.stages == [Stage.OPENED, Stage.WORSE, Stage.CLOSED]


def test_a_channel_that_asked_to_be_left_alone_is_so_after_a_restart() -> None:
    post = Post(sender=Scripted(usual=LIMITED))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    post.deliver(AT)
    post.outbox.put(change(Turn.OPENED, SECOND_SEED))
    again = Post(sender=Scripted(usual=DONE), outbox=post.outbox)
    assert again.deliver(AT + 30 * MINUTE).waiting == 2
    assert again.deliver(AT + 61 * MINUTE).delivered == 2


def test_what_slack_could_not_be_told_for_an_hour_is_one_message_about_now() -> None:
    post = Post(sender=Scripted(usual=LIMITED))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    tries = 0
    for minute in range(70):
        tries += bool(post.deliver(AT + minute * MINUTE).failed)
    assert tries == 2  # at once, and after the hour that was asked for
    post.outbox.put(change(Turn.WORSE, FIRST_SEED, after=30 * MINUTE))
    post.sender.usual = DONE
    assert post.deliver(AT + 119 * MINUTE).waiting == 2
    post.deliver(AT + 121 * MINUTE)
    assert post.stages == [Stage.OPENED]
    assert post.sender.told[0].late == (
        "Told 1 h 31 min late, it was so at 24 Mar 15:07 UTC: answered 429; it asks to be left alone."
    )
    assert post.outbox.waiting == 0


def test_what_opened_and_closed_meanwhile_is_told_as_past() -> None:
    post = Post(sender=Scripted([BUSY]))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    post.deliver(AT)
    post.outbox.put(closed(FIRST_SEED))
    post.deliver(AT + timedelta(hours=1))
    assert post.stages == [Stage.PAST]


def test_nobody_is_paged_for_what_is_past() -> None:
    post = Post(sender=Scripted(kind="pagerduty", shows_past=False))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    post.outbox.put(closed(FIRST_SEED))
    assert post.deliver(AT + timedelta(hours=1)).left_out == 2
    assert post.sender.told == []


def test_an_opening_that_may_have_arrived_is_resolved_to_be_safe() -> None:
    post = Post(sender=Scripted([BUSY], kind="pagerduty", shows_past=False))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    post.deliver(AT)
    post.outbox.put(closed(FIRST_SEED))
    post.deliver(AT + timedelta(hours=1))
    assert [one.is_over for one in post.sender.told] == [True]


def test_an_end_is_told_to_whom_the_beginning_was_and_to_nobody_else() -> None:
    post = Post()
    post.outbox.put(closed(FIRST_SEED))
    assert post.deliver(AT + timedelta(hours=1)).left_out == 1
    assert post.sender.told == []


def test_a_ticket_that_became_a_page_is_news_to_a_channel_of_pages() -> None:
    post = Post()
    post.outbox.put(change(Turn.WORSE, FIRST_SEED, after=MINUTE))
    post.deliver(AT + MINUTE)
    assert post.stages == [Stage.OPENED]


def test_a_refused_letter_is_put_aside_with_the_reason_and_holds_nobody_up() -> None:
    post = Post(sender=Scripted([REFUSED]))
    post.outbox.put(change(Turn.OPENED, numbered(1)))
    post.outbox.put(change(Turn.OPENED, numbered(2)))
    done = post.deliver(AT)
    assert (done.dead, done.delivered, done.says) == (1, 1, ("answered 404: no_service",))
    assert [one.says for one in post.outbox.dead_letters()] == ["answered 404: no_service"]
    assert post.deliver(AT + MINUTE).delivered == 0


def test_a_letter_that_breaks_us_is_put_aside_and_the_others_are_told() -> None:
    class Broken(Scripted):
        def send(self, message: Message, now: datetime) -> Outcome:
            if message.key == numbered(1).key:
                raise RuntimeError("https://hooks.example/SECRET")
            return Scripted.send(self, message, now)

    post = Post(sender=Broken())
    post.outbox.put(change(Turn.OPENED, numbered(1)))
    post.outbox.put(change(Turn.OPENED, numbered(2)))
    done = post.deliver(AT)
    assert (done.dead, done.delivered) == (1, 1)
    assert "bug in premortem" in done.says[0]
    assert "SECRET" not in done.says[0]


def test_waits_grow_survive_a_restart_and_end_after_a_day() -> None:
    post = Post(sender=Scripted(usual=BUSY))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    now, tried = AT, []
    while not post.outbox.dead_letters():
        post.restart()
        if post.deliver(now).failed:
            tried.append(now)
        now += timedelta(seconds=5)
        assert now < AT + timedelta(hours=25)
    gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(tried)]
    assert gaps[:7] == [5, 10, 20, 40, 80, 160, 320]
    assert max(gaps) == 900
    assert post.outbox.dead_letters()[0].says == "given up after 24 h: answered 503"


def test_a_channel_in_trouble_is_left_alone_and_one_message_in_trouble_is_not() -> None:
    post = Post(sender=Scripted([LIMITED]))
    for n in range(5):
        post.outbox.put(change(Turn.OPENED, numbered(n)))
    assert post.deliver(AT).failed == 1
    assert post.deliver(AT + MINUTE).waiting == 5
    assert post.sender.told == []
    poison = Post(sender=Scripted([BUSY]))
    for n in range(5):
        poison.outbox.put(change(Turn.OPENED, numbered(n)))
    poison.deliver(AT)
    assert poison.deliver(AT + timedelta(seconds=1)).delivered == 4


@dataclass(slots=True)
class Dying(Memory):
    """An outbox in whose so-many-th write we are killed."""

    dies: int = 0

    def delivered(
        self,
        id: str,
        at: datetime,
        *,
        others: Sequence[str] = (),
        says: str = "",
        told: bool = True,
        counts: bool = True,
    ) -> None:
        self.dies -= 1
        if self.dies == 0:
            raise StoreError("killed")
        Memory.delivered(self, id, at, others=others, says=says, told=told, counts=counts)


@pytest.mark.parametrize("dies", [1, 2, 3])
def test_a_message_that_comes_twice_says_the_same_twice(dies: int) -> None:
    """Whoever is told by name what came already must not miss that it opened."""
    outbox = Dying(dies=dies)
    for place, turn in enumerate((Turn.OPENED, Turn.DIAGNOSED, Turn.WORSE)):
        said = change(turn, FIRST_SEED)
        outbox.put(replace(said, alert=replace(said.alert, turns=place + 1)))
    first, second = Post(sender=Scripted(), outbox=outbox), Post(sender=Scripted(), outbox=outbox)
    with contextlib.suppress(StoreError):
        first.deliver(AT)
    second.deliver(AT)
    told = [*first.sender.told, *second.sender.told]
    assert {one.stage for one in told} == {Stage.OPENED}
    assert len({one.id for one in told}) == 1
    assert outbox.pending("c", 10) == []


def test_a_clock_put_back_holds_nothing_for_hours() -> None:
    post = Post(sender=Scripted([LIMITED]))
    post.outbox.put(change(Turn.OPENED, FIRST_SEED))
    post.deliver(AT + timedelta(hours=5))
    assert post.deliver(AT).delivered == 1


def test_pages_go_before_tickets() -> None:
    post = Post()
    post.outbox.put(change(Turn.OPENED, numbered(1)))
    post.outbox.put(change(Turn.OPENED, numbered(2, Urgency.PAGE)))
    post.deliver(AT)
    assert [one.urgency for one in post.sender.told] == [Urgency.PAGE, Urgency.TICKET]


def test_more_than_may_be_told_an_hour_is_one_message_and_nothing_is_kept_back_silently() -> None:
    post = Post(channel=Channel(name="c", kind="slack", most_per_hour=3))
    for n in range(10):
        post.outbox.put(change(Turn.OPENED, numbered(n, Urgency.PAGE if n == 9 else Urgency.TICKET)))
    assert post.deliver(AT).delivered == 10
    assert len(post.sender.told) == 2
    assert post.sender.told[0].urgency is Urgency.PAGE
    (digest,) = post.sender.digests
    assert len(digest.messages) == 8
    assert digest.title == "8 alerts in one message"
    assert post.outbox.sent_since("c", AT) == 3


def test_when_all_is_spent_tickets_wait_and_a_page_waits_five_minutes_at_most() -> None:
    post = Post(channel=Channel(name="c", kind="slack", most_per_hour=1))
    for n in range(3):
        post.outbox.put(change(Turn.OPENED, numbered(n)))
    post.deliver(AT)
    assert len(post.sender.digests) == 1
    post.outbox.put(change(Turn.OPENED, numbered(3)))
    post.outbox.put(change(Turn.OPENED, numbered(4, Urgency.PAGE)))
    assert post.deliver(AT + MINUTE).waiting == 2
    assert post.deliver(AT + 5 * MINUTE).delivered == 1
    assert post.sender.digests[1].messages[0].urgency is Urgency.PAGE
    assert post.deliver(AT + 59 * MINUTE).waiting == 1
    assert post.deliver(AT + 66 * MINUTE).delivered == 1


def test_every_incident_of_pagerduty_is_resolved_however_little_it_may_be_told() -> None:
    channel = Channel(name="c", kind="pagerduty", most_per_hour=1)
    post = Post(channel=channel, sender=Scripted(kind="pagerduty", shows_past=False))
    for n in range(3):
        post.outbox.put(change(Turn.OPENED, numbered(n)))
    post.deliver(AT)
    for n in range(3):
        post.outbox.put(closed(numbered(n), MINUTE))
    assert post.deliver(AT + 2 * MINUTE).delivered == 3
    assert [one.stage for one in post.sender.told] == [Stage.CLOSED] * 3
    assert post.outbox.sent_since("c", AT) == 1


def test_a_digest_that_fails_is_tried_again_and_loses_nothing() -> None:
    post = Post(channel=Channel(name="c", kind="slack", most_per_hour=1), sender=Scripted([BUSY]))
    for n in range(3):
        post.outbox.put(change(Turn.OPENED, numbered(n)))
    assert post.deliver(AT).delivered == 0
    assert post.outbox.waiting == 3
    post.deliver(AT + MINUTE)
    assert post.outbox.waiting == 0
    assert len(post.sender.digests[0].messages) == 3


def test_deploys_are_told_one_by_one() -> None:
    post = Post()
    post.outbox.put(SIX_WEEKS_AGO)
    post.outbox.put(replace(SIX_WEEKS_AGO, revision="v2"))
    post.deliver(AT)
    assert [one.revision[:2] for one in post.sender.deploys] == ["9f", "v2"]


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (Channel(name="c", kind="slack"), True),
        (Channel(name="c", kind="slack", urgencies=("page",)), True),
        (Channel(name="c", kind="slack", urgencies=("ticket",)), False),
        (Channel(name="c", kind="slack", instances=("db-*",)), True),
        (Channel(name="c", kind="slack", instances=("eu-*",)), False),
        (Channel(name="c", kind="slack", owners=("@shop/*",)), True),
        (Channel(name="c", kind="slack", owners=("@billing",)), False),
    ],
)
def test_a_channel_is_told_what_it_asked_for(channel: Channel, told: bool) -> None:
    assert admits(channel, change(Turn.OPENED, FIRST_SEED)) is told


def test_a_mute_keeps_quiet_and_lets_the_end_through() -> None:
    channel = Channel(name="c", kind="slack", urgencies=("page",))
    quiet = replace(FIRST_SEED, muted="muted: we know", urgency=Urgency.TICKET)
    assert not admits(channel, change(Turn.OPENED, quiet))
    assert not admits(channel, change(Turn.BETTER, quiet))
    assert admits(channel, closed(quiet))


turns = st.lists(st.sampled_from(("opened", "worse", "closed")), max_size=12)
answers = st.lists(st.sampled_from((DONE, BUSY, LIMITED)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(story=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=25), answers=answers, page=st.booleans())
def test_whatever_fails_the_channel_ends_up_knowing_what_is_so(
    story: list[tuple[int, bool]], answers: list[Outcome], page: bool
) -> None:
    """Alerts open and close, the channel answers as it likes, we restart: in the end it knows exactly what is open."""
    post = Post(sender=Scripted(list(answers)))
    alerts: dict[int, Alert] = {}
    now = AT
    for n, restarts in story:
        now += MINUTE
        if n in alerts:
            ended = replace(alerts.pop(n), closed_at=now, changed_at=now, turns=2)
            post.outbox.put(AlertChange(turn=Turn.CLOSED, alert=ended, at=now))
        else:
            alerts[n] = replace(numbered(n), opened_at=now, changed_at=now)
            post.outbox.put(AlertChange(turn=Turn.OPENED, alert=alerts[n], at=now))
        if restarts:
            post.restart()
        post.deliver(now)
    for _ in range(400):
        now += 5 * MINUTE
        post.deliver(now)
        if not post.outbox.waiting:
            break
    assert post.outbox.waiting == 0
    known: dict[str, bool] = {}
    ids = [one.id for one in post.sender.told]
    assert len(ids) == len(set(ids))
    for said in post.sender.told:
        assert said.stage is not Stage.CLOSED or known.get(said.key), "an end of what was not told"
        known[said.key] = not said.is_over
    assert {key for key, is_open in known.items() if is_open} == {one.key for one in alerts.values()}


@given(
    tries=st.integers(1, 200),
    asked=st.one_of(st.none(), st.timedeltas(min_value=timedelta(), max_value=timedelta(hours=1))),
    chance=st.floats(0, 1),
)
def test_a_wait_is_never_shorter_than_asked_and_never_for_ever(
    tries: int, asked: timedelta | None, chance: float
) -> None:
    wait = rounds.wait(tries, asked, chance)
    assert timedelta(seconds=2.5) <= wait <= max(timedelta(minutes=15), asked or timedelta())
    assert asked is None or wait >= asked


def test_every_kind_can_be_told() -> None:
    post = Post()
    for one in KINDS.values():
        post.outbox.put(change(Turn.OPENED, one))
    post.deliver(AT)
    assert len({said.title for said in post.sender.told}) == len({one.key for one in KINDS.values()})
