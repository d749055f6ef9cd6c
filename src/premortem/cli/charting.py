"""History for a terminal: one query as a line per step with a bar of its mean, several as a line per query."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from premortem import store, words
from premortem.cli.commands.deploy_list import short
from premortem.cli.commands.history import Past
from premortem.model import Alert, Deploy
from premortem.report import Look

_BAR = 24
_TABLES = 3
_LEVELS = "▁▂▃▄▅▆▇█"
_SPARKS = 16
_FINGERPRINT = 16


def render(past: Past, look: Look) -> str:
    """Return the history as a terminal shows it."""
    out = Console(
        file=io.StringIO(),
        width=look.width,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        highlight=False,
        legacy_windows=False,
    )
    if not past.known:
        out.print(f"nothing ran {_span(past)}, as far as {words.plain(past.place)} knows", soft_wrap=True, markup=False)
    elif past.chosen:
        _one_query(out, past)
    else:
        _many(out, past)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def _span(past: Past) -> str:
    same = past.since.date() == past.until.date()
    return f"from {past.since:%Y-%m-%d %H:%M} to {past.until:{'%H:%M' if same else '%Y-%m-%d %H:%M'}} UTC"


def _one_query(out: Console, past: Past) -> None:
    first = past.known[0].statement
    text = words.one_line(first.text) or first.unreadable
    out.print(Text(words.shortened(text, 4 * out.width)), soft_wrap=True)
    out.print(Text(f"fingerprint {words.plain(first.fingerprint)}, {_span(past)}", style="dim"))
    for known, steps in list(zip(past.known, past.steps, strict=True))[:_TABLES]:
        out.print()
        out.print(Text(_about(known, past.until)), soft_wrap=True)
        out.print(_chart(past, known, {step.at: step for step in steps}))

    if others := past.known[_TABLES:]:
        where = words.listing([words.plain(f"{known.instance}/{known.database}") for known in others], most=5)
        out.print(Text(f"\nIt runs in {where}, too; --instance and --database show one.", style="dim"), soft_wrap=True)


def _about(known: store.Known, now: datetime) -> str:
    ago = words.duration(max(now - known.first_seen, timedelta()))
    if known.appeared:
        seen = f"first seen {known.first_seen:%Y-%m-%d %H:%M} UTC, {ago} before"
    else:
        seen = f"older than watching, which saw it first {ago} before"
    return words.plain(f"{known.instance}, database {known.database}: {words.plural(known.calls, 'call')}; {seen}")


def _chart(past: Past, known: store.Known, steps: dict[datetime, store.Step]) -> Table:
    highest = max((step.mean_ms or 0.0 for step in steps.values()), default=0.0)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("UTC", "calls", "mean", "busy"):
        table.add_column(heading, justify="left" if heading == "UTC" else "right", no_wrap=True)
    table.add_column("", width=_BAR, no_wrap=True)
    table.add_column("", overflow="fold")
    days = past.since.date() != past.until.date()
    for at in _told(past, steps):
        happened = Text("; ".join(_happened(past, known, at)), style="yellow")
        elapsed = min(past.step, past.until - at)
        table.add_row(
            f"{at:{'%m-%d %H:%M' if days else '%H:%M'}}", *_figures(steps.get(at), highest, elapsed), happened
        )
    return table


def _told(past: Past, steps: dict[datetime, store.Step]) -> tuple[datetime, ...]:
    """Return the steps to show: not those before anything is known of."""
    first = min([*steps, *(deploy.at for deploy in past.deploys)], default=past.until)
    return tuple(at for at in past.moments if at + past.step > first)


def _figures(step: store.Step | None, highest: float, elapsed: timedelta) -> tuple[Text | Bar, ...]:
    if step is None or step.mean_ms is None:
        return Text("-", style="dim"), Text(""), Text(""), Text("")
    sure = "?" if step.doubtful else ""
    return (
        Text(words.number(step.calls) + sure),
        Text(words.duration(step.mean_ms / 1000)),
        Text(words.number(_busy(step.total_ms, elapsed))),
        Bar(max(highest, 1e-9), 0, step.mean_ms, width=_BAR),
    )


def _busy(total_ms: float, elapsed: timedelta) -> float:
    return total_ms / 1000 / max(elapsed.total_seconds(), 1.0)


def _happened(past: Past, known: store.Known, at: datetime) -> Iterator[str]:
    """Return what else happened in a step: deploys, and what was alerted about this query."""
    end = at + past.step
    for deploy in past.deploys:
        if at <= deploy.at < end:
            yield _deployed(deploy)
    for alert in past.alerts:
        if not _is_about(alert, known):
            continue
        if at <= alert.opened_at < end:
            yield f"{alert.kind.value} opened"
        if alert.closed_at is not None and at <= alert.closed_at < end:
            yield f"{alert.kind.value} closed"


def _deployed(deploy: Deploy) -> str:
    return words.one_line(f"deploy {deploy.service} {short(deploy.revision)}")


def _is_about(alert: Alert, known: store.Known) -> bool:
    if alert.instance != known.instance or alert.database not in ("", known.database):
        return False
    said = alert.statement.fingerprint if alert.statement is not None else alert.subject
    return said == known.statement.fingerprint


def _many(out: Console, past: Past) -> None:
    says = f"The most time {_span(past)}; premortem history FINGERPRINT shows one."
    out.print(Text(says, style="dim"), soft_wrap=True)
    wheres = [words.plain(f"{known.instance}/{known.database}") for known in past.known]
    for where, known, steps in zip(wheres, past.known, past.steps, strict=True):
        out.print()
        fingerprint = f"{words.plain(known.statement.fingerprint):<{_FINGERPRINT}}"
        figures = Text(f"{fingerprint}  {where:<{max(map(len, wheres))}}  ")
        figures.append(f"{sparks(past, steps)}  ", style="cyan").append(_sums(past, known))
        out.print(figures, soft_wrap=True)
        text = words.one_line(known.statement.text) or known.statement.unreadable
        out.print(Text("  " + words.shortened(text, out.width - 2)), soft_wrap=True)


def _sums(past: Past, known: store.Known) -> str:
    if not known.calls:
        return "no calls"
    mean = words.duration(known.total_ms / known.calls / 1000)
    busy = _busy(known.total_ms, past.until - past.since)
    return f"{words.plural(known.calls, 'call')}, mean {mean}, busy {words.number(busy)}"


def sparks(past: Past, steps: Sequence[store.Step]) -> str:
    """Return the means as one character per part of the time, blank where nothing ran."""
    length = (past.until - past.since) / _SPARKS
    means: list[float | None] = []
    for at in range(_SPARKS):
        begin = past.since + at * length
        inside = [step for step in steps if begin <= step.at < begin + length]
        calls = sum(step.calls for step in inside)
        means.append(sum(step.total_ms for step in inside) / calls if calls else None)
    highest = max((mean for mean in means if mean), default=0.0)
    return "".join(" " if mean is None else _level(mean, highest) for mean in means)


def _level(mean: float, highest: float) -> str:
    return _LEVELS[min(len(_LEVELS) - 1, int(mean / highest * len(_LEVELS)))] if highest else _LEVELS[0]
