"""The screen line by line, before anybody decides on colours: what hurts, why, what to type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from premortem import words
from premortem.model import Action, Diagnosis, Gap, Hurt, Now, Ran, Verdict

#: More lines of a plan, statement or list are for `--format json`.
_PLAN, _TEXT, _ACTIONS, _GAPS, _RAN = 8, 4, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line: its parts with the name of their style, how far it is set in, and whether it must not be broken."""

    parts: tuple[tuple[str, str], ...] = ()
    inset: int = 0
    whole: bool = False


def line(*parts: str | tuple[str, str], inset: int = 0, whole: bool = False) -> Line:
    """Return a line of parts; one without a style is plain."""
    return Line(parts=tuple((p, "") if isinstance(p, str) else p for p in parts), inset=inset, whole=whole)


STYLES = {Verdict.FAIL: "bold red", Verdict.UNKNOWN: "bold yellow", Verdict.PASS: "bold green"}
LABELS = {Verdict.FAIL: "HURTS", Verdict.UNKNOWN: "COULD NOT TELL", Verdict.PASS: "NOTHING HURTS"}


def screen(now: Now) -> Iterator[Line]:
    """Yield everything that is shown, from the server's name to the verdict."""
    yield line((heading(now), "bold"))
    yield line((fullness(now), "dim"))
    yield line()
    for place, hurt in enumerate(now.hurts, start=1):
        yield from _hurt(place, hurt, now)
        yield line()
    others = [r for r in now.ran if not any(h.statement == r.statement for h in now.hurts)][:_RAN]
    if others:
        yield line("also ran:" if now.hurts else "what ran:")
        yield from (line((ran(r), "dim"), inset=2) for r in others)
        yield line()
    yield from _gaps(now.gaps)
    yield line((LABELS[now.verdict], STYLES[now.verdict]), f"  {verdict(now)}")


def heading(now: Now) -> str:
    """Return which server this is, and when we looked at it."""
    replica = ", a replica" if now.in_recovery else ""
    return words.one_line(f"{now.place} · PostgreSQL {now.version}{replica} · {clock(now.at)}")


def clock(at: datetime) -> str:
    """Return a moment to the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def fullness(now: Now) -> str:
    """Return how long we looked and how full the server is."""
    parts = [f"looked for {words.duration(now.looked)}"]
    if now.seats is not None:
        room = now.seats.most - now.seats.reserved
        parts.append(f"{now.seats.taken} of {room} connections taken")
        parts.append(f"{now.seats.active} active")
        parts.append(f"{now.seats.idle_in_transaction} idle in a transaction")
    for pool in now.pools:
        waiting = f", {pool.clients_waiting} waiting" if pool.clients_waiting else ""
        parts.append(f"pool {pool.database}/{pool.user}: {pool.servers_active} of {pool.size or '?'} busy{waiting}")
    return words.one_line(" · ".join(parts))


def verdict(now: Now) -> str:
    """Return the last line: how much hurts, and how long it took to find out."""
    took = f"; took {words.duration(now.took)}" if now.took is not None else ""
    if now.hurts:
        return f"{words.plural(len(now.hurts), 'thing hurts', 'things hurt')} on this server{took}"
    if now.blind:
        return f"the role may not see what other roles do{took}"
    return f"no statement over its limit, nobody waits{took}"


def _hurt(place: int, hurt: Hurt, now: Now) -> Iterator[Line]:
    yield line((f"{place}  ", "bold red"), (words.one_line(hurt.says), "bold"), (f"  [{hurt.kind.value}]", "dim"))
    if hurt.statement is not None and hurt.statement.text:
        text = words.first_lines(hurt.statement.text, lines=_TEXT, characters=400)
        yield from (line((t, "dim"), inset=5) for t in text.splitlines())
    for text in hurt.texts[:_TEXT]:
        yield line(("with values: ", "dim"), words.shortened(words.one_line(text), 300), inset=5)
    if hurt.why is not None:
        yield from _why(hurt.why)


def _why(why: Diagnosis) -> Iterator[Line]:
    yield line(("why  ", "bold"), words.one_line(why.says), (f"  ({sureness(why)})", "dim"), inset=3)
    for place, action in enumerate(why.actions[:_ACTIONS]):
        yield from _action(action, is_first=place == 0)
    if why.plan:
        yield line(("plan ", "bold"), (words.one_line(why.plan_basis), "dim"), inset=3)
        shown = words.first_lines(why.plan, lines=_PLAN, characters=2_000)
        yield from (line((t, "dim"), inset=8, whole=True) for t in shown.splitlines())
    for gap in why.gaps[:2]:
        yield line((f"· {gap.subject}: {words.one_line(gap.says)}", "dim"), inset=8)


def sureness(why: Diagnosis) -> str:
    """Return the cause by its name and how sure we are of it."""
    return f"{why.cause.value}, {words.percent(why.confidence)} sure"


def _action(action: Action, *, is_first: bool) -> Iterator[Line]:
    label = "type " if is_first and (action.sql or action.command) else "do   " if is_first else "     "
    yield line((label, "bold"), words.one_line(action.says), inset=3)
    for text in (*action.sql, *filter(None, [action.command])):
        yield from (line((t, "bold green"), inset=8, whole=True) for t in copyable(text))
    said = [p for p in (action.proof if action.proof != "advice" else "",) if p]
    said += [f"undo: {' '.join(words.one_line(u) for u in action.undo)}"] if action.undo else []
    yield from (line((words.one_line(s), "dim"), inset=8) for s in said)


def copyable(sql: str) -> tuple[str, ...]:
    """Return a statement as lines that can be copied: nothing broken that was not."""
    return tuple(words.plain(sql).splitlines())


def ran(one: Ran) -> str:
    """Return a statement that ran, in a line."""
    mean = f"{words.duration(one.mean_ms / 1000)} mean" if one.mean_ms is not None else "still runs"
    share = f", {words.percent(round(one.share, 3))}" if one.share else ""
    text = words.shortened(words.one_line(one.statement.text or one.statement.fingerprint), 70)
    return f"{mean}, {words.plural(one.calls, 'call')}, {words.number(one.busy)} busy{share}: {text}"


def _gaps(gaps: Sequence[Gap]) -> Iterator[Line]:
    if not gaps:
        return
    yield line(f"could not see {words.plural(len(gaps), 'thing')}:")
    for gap in gaps[:_GAPS]:
        cure = f" Cure: {gap.cure}" if gap.cure else ""
        yield line((words.one_line(f"· {gap.subject}: {gap.says}{cure}"), "dim"), inset=2)
    if len(gaps) > _GAPS:
        yield line((f"· and {len(gaps) - _GAPS} more; --format json has them all", "dim"), inset=2)
    yield line()
