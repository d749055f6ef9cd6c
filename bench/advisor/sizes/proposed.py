"""The indexes that the advisor would try for a folder of queries, on a twin of the profile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from premortem import twin
from premortem.advisor.proposing import covering, proposals
from premortem.advisor.reading import wants
from premortem.errors import StatementError
from premortem.model import IndexCandidate, ParameterSet, Profile, Query, Site


def proposed(profile: Profile, folder: Path) -> tuple[IndexCandidate, ...]:
    """Return every candidate for every query, the covering ones too."""
    with twin.open(profile) as copy:
        queries = (_query(file) for file in sorted(folder.glob("*.sql")))
        found = (c for query in queries for c in _of_query(copy, query, profile))
        return tuple({c.definition: c for c in found}.values())


def _query(file: Path) -> Query:
    text = file.read_text(encoding="utf-8").strip().rstrip(";")
    return Query(text=text, original=text, fingerprint=file.stem, site=Site(source=file.stem))


def _of_query(copy: twin.Twin, query: Query, profile: Profile) -> Iterator[IndexCandidate]:
    try:
        planned = (copy.explain(query, ParameterSet(name="literal")),)
    except StatementError:
        return
    for want in wants(planned, profile):
        for group in proposals(want, profile):
            for candidate in group:
                yield candidate
                wider = covering(want, candidate)
                if wider is not None:
                    yield wider
