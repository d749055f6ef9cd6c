"""Tells people and machines: Slack, PagerDuty, Alertmanager, webhooks, and e-mail and the rest through Apprise.

Words: a *message* is what is told of an alert's change, before any channel; a *letter* is a row of the outbox; a
*parcel* is the letters that are told as one; an *outcome* is done, later or never.

    admits(channel, change)                   -> bool      which channel is told what
    message(change, link=…)                   -> Message   title, why, facts, what to type, plan, links
    sender(channel, url=…, token=…)           -> Sender    what tells a channel
    Postman(channel, sender, outbox).deliver(now) -> Round takes the letters that are due, tells them, keeps the outcome
    Postman.keep(open_alerts, now)                         tells Alertmanager once more what is open
    try_out(channel, sender, now)        -> answers   a marked test, and its end

    message     naming, facts, steps: titles, pairs, what to type
    text, details, slack, pagerduty, alertmanager, webhook, apprises: pure payloads, each within its channel's limits
    wire        HTTP: one POST, one answer, no secret in anything that is said
    postman     rounds (pure): parcels, order, waits, limits

It decides nothing about alerts, keeps nothing (the outbox is handed in), and asks no database.
"""

from premortem.notify.admitting import admits, admits_alert, admits_deploy
from premortem.notify.channels import KINDS, Sender, sender
from premortem.notify.facts import Fact
from premortem.notify.message import Digest, Link, Message, Stage, message
from premortem.notify.outcome import Outcome, Verdict
from premortem.notify.postman import Postman, Round
from premortem.notify.trial import try_out

__all__ = [
    "KINDS",
    "Digest",
    "Fact",
    "Link",
    "Message",
    "Outcome",
    "Postman",
    "Round",
    "Sender",
    "Stage",
    "Verdict",
    "admits",
    "admits_alert",
    "admits_deploy",
    "message",
    "sender",
    "try_out",
]
