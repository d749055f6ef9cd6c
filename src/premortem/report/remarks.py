"""A report as single remarks, each about one line of one file: what annotations, SARIF and editors want.

A statement that could not be judged is a remark too, under the name `could-not-tell`: leaving it out would read as a
pass.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from premortem import words
from premortem.model import Finding, QueryReport, Report, Severity, Site
from premortem.report import novelty, story
from premortem.report.look import Look

COULD_NOT_TELL = "could-not-tell"
#: What shows remarks cuts long ones or refuses them; GitHub takes 64 kB of an annotation.
_LONGEST = 4_000
#: What a site may name that is no file.
_NO_FILES = frozenset({"pg_stat_statements", "capture", "command line", "lock", "profile", "settings"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to say about one place.

    `path` is the file's path from the repository's root, or None where the place is no file; `line` counts from 1.
    `judged` is the query that it is about, None for the schema; `finding` is None for what could not be judged.
    `reason` is why it does not count, None where it does.  `leads` says that it is its query's first, which tells what
    is new about the query for all of them.
    """

    rule: str
    severity: Severity
    says: str
    site: Site | None
    path: str | None
    line: int | None
    key: str
    judged: QueryReport | None = None
    finding: Finding | None = None
    reason: str | None = None
    leads: bool = True


def every(report: Report, look: Look, *, suppressed: bool = False) -> Iterator[Remark]:
    """Yield the remarks in the order in which the queries were read; with `suppressed`, those that do not count too."""
    for judged in report.queries:
        yield from of_query(judged, look)
        if suppressed:
            for allowed in judged.suppressed:
                yield replace(_of_finding(allowed.finding, judged, look, reason=allowed.reason), leads=False)
    yield from of_findings(report.findings, look)


def of_findings(findings: Iterable[Finding], look: Look) -> Iterator[Remark]:
    """Yield what is to be said about no single query: the schema, the migrations, the lock."""
    return (_of_finding(finding, None, look) for finding in findings)


def of_query(judged: QueryReport, look: Look) -> Iterator[Remark]:
    """Yield what is to be said about one query."""
    if judged.error is not None:
        yield _unknown(judged, judged.error, look)
    for place, finding in enumerate(story.by_severity(judged.findings)):
        yield replace(_of_finding(finding, judged, look), leads=place == 0)


def worst_first(remarks: Iterable[Remark]) -> list[Remark]:
    """Return the remarks, worst first: errors, what could not be judged, warnings; of new queries before others."""
    return sorted(remarks, key=_weight)


def _weight(remark: Remark) -> tuple[bool, int, bool, bool]:
    old = remark.judged is not None and not novelty.is_changed(remark.judged)
    return remark.reason is not None, story.BY_SEVERITY[remark.severity], remark.finding is None, old


def _unknown(judged: QueryReport, error: str, look: Look) -> Remark:
    hint = f" ({words.one_line(judged.hint)})" if judged.hint else ""
    return Remark(
        rule=COULD_NOT_TELL,
        severity=Severity.ERROR,
        says=words.shortened(f"could not tell: {words.one_line(error)}{hint}", _LONGEST),
        site=judged.site,
        path=path(judged.site, look),
        line=_line(judged.site),
        key=f"{COULD_NOT_TELL}:{_digest(judged.original)}",
        judged=judged,
    )


def _of_finding(finding: Finding, judged: QueryReport | None, look: Look, *, reason: str | None = None) -> Remark:
    site = finding.site or (judged.site if judged else None)
    return Remark(
        rule=finding.rule,
        severity=finding.severity,
        says=words.shortened(words.one_line(finding.says), _LONGEST),
        site=site,
        path=path(site, look),
        line=_line(site),
        key=finding.key,
        judged=judged,
        finding=finding,
        reason=reason,
    )


def _line(site: Site | None) -> int | None:
    return max(site.line, 1) if site is not None and site.line is not None else None


def path(site: Site | None, look: Look) -> str | None:
    """Return a site's file from the repository's root, as far as it is below it; None where the site is no file."""
    if site is None or not _is_file(site):
        return None
    source = site.source
    if not source.startswith("/") and look.here:
        source = posixpath.join(look.here, source)
    source = posixpath.normpath(source)
    root = look.root.rstrip("/")
    return source.removeprefix(f"{root}/") if root else source


def _is_file(site: Site) -> bool:
    source = site.source
    if source in _NO_FILES or source.startswith("<") or not source.strip():
        return False
    return site.line is not None or "/" in source or "." in source


def place(remark: Remark) -> str:
    """Return where a remark stands as editors and grep read it: `path:line`, or what the site is called."""
    if remark.path is None:
        table = remark.finding.table if remark.finding else None
        return words.one_line(str(remark.site or table or "schema"))
    return words.one_line(remark.path if remark.line is None else f"{remark.path}:{remark.line}")


def fingerprint(remark: Remark) -> str:
    """Return what tells a remark from every other and stays when lines move: rule, table, what it is about, query."""
    query = remark.judged.query if remark.judged else None
    about = query.fingerprint if query else remark.judged.original if remark.judged else ""
    return _digest("\n".join((remark.key, about, remark.path or "")))


def unique(remarks: Iterable[Remark]) -> Iterator[tuple[Remark, str]]:
    """Yield the remarks with fingerprints of which no two are equal."""
    met: dict[str, int] = {}
    for remark in remarks:
        found = fingerprint(remark)
        met[found] = met.get(found, 0) + 1
        yield remark, found if met[found] == 1 else _digest(f"{found}\n{met[found]}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:40]


def _about(judged: QueryReport, finding: Finding, *, leads: bool) -> tuple[str, ...]:
    past = (novelty.sentence(judged), novelty.seen(judged)) if leads else ()
    return story.hurts_with(judged, finding), story.call_rate(judged), *past, story.owners(judged)


def details(remark: Remark) -> tuple[str, ...]:
    """Return what else there is to know about a remark, a sentence or statement each: how sure, and what to type."""
    finding, judged = remark.finding, remark.judged
    if finding is None:
        return ()
    said = list(_about(judged, finding, leads=remark.leads)) if judged else []
    remedy = finding.remedy
    if remedy is not None:
        said += [story.sentence(remedy.says), *remedy.sql, story.gain(finding, judged)]
        said += [story.proof_sentence(judged, finding)] if judged is not None and remedy.sql else []
    return tuple(words.shortened(words.plain(s), _LONGEST) for s in said if s)
