"""E-mail through Apprise, to a mail server on loopback: what arrives is what a person can read and copy from."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from premortem.model import Turn
from premortem.notify import Verdict, message, sender
from premortem.settings import Channel
from tests.notify.incidents import AT, FIRST_SEED, change
from tests.ports import free_port

CHANNEL = Channel(name="mail", kind="apprise", timeout_seconds=60.0)


class Mailbox:
    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.refuses = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(made, EmailMessage)
        self.got.append(made)
        return "250 OK"


@pytest.fixture
def post_office() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, f"mailto://127.0.0.1:{port}/?mode=insecure&from=premortem@example.org&to=oncall@example.org"
    finally:
        controller.stop(no_assert=True)


def test_a_mail_can_be_read_and_copied_from(post_office: tuple[Mailbox, str]) -> None:
    box, url = post_office
    outcome = sender(CHANNEL, url=url).send(message(change(Turn.OPENED, FIRST_SEED)), AT)
    assert outcome.verdict is Verdict.DONE, outcome.says
    (got,) = box.got
    assert got["Subject"].startswith("[PAGE] order_items slow on db-1/shop: 2.8 s mean; missing index")
    assert got["To"] == "oncall@example.org"
    body = got.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "    CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items" in text
    assert re.search(r"^Introduced by: +order-api 9f2b7c1d, 10 Feb 2026", text, re.MULTILINE)


def test_markup_in_a_query_stays_text(post_office: tuple[Mailbox, str]) -> None:
    box, url = post_office
    nasty = message(change(Turn.OPENED, FIRST_SEED, says="<script>alert(1)</script> <img src=x> @here\r\nBcc: a@b.de"))
    assert sender(CHANNEL, url=url).send(nasty, AT).verdict is Verdict.DONE
    (got,) = box.got
    assert got["Bcc"] is None
    html = got.get_body(("html",))
    assert html is None or "<script>" not in html.get_content()


@pytest.mark.parametrize("refuses", ["451 try later", "554 no"])
def test_a_mail_that_is_refused_is_tried_again(post_office: tuple[Mailbox, str], refuses: str) -> None:
    box, url = post_office
    box.refuses = refuses
    outcome = sender(CHANNEL, url=url).send(message(change(Turn.OPENED, FIRST_SEED)), AT)
    assert outcome.verdict is Verdict.LATER
    assert "could not be told" in outcome.says
    assert "mode=insecure" not in outcome.says
