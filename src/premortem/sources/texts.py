"""One string as a source of queries."""

from __future__ import annotations

from dataclasses import replace

from premortem import sqltext
from premortem.model import Query, Site, Unreadable
from premortem.sources.path import along


def text(sql: str, site: Site) -> tuple[Query | Unreadable, ...]:
    """Return the statements of a string; lines count from the site's, and without one there are none."""
    found = tuple(along(sqltext.split(sql, site.source, first_line=site.line or 1, name=site.name)))
    if site.line is not None or "\n" in sql.strip():
        return found
    return tuple(replace(item, site=replace(item.site, line=None)) for item in found)
