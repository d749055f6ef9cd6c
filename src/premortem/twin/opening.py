"""Opens a twin: finds a server, builds the twin or takes it from the cache, starts it, and asks whether it is true."""

from __future__ import annotations

import contextlib
import locale
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from premortem import pg, plans
from premortem.errors import TwinError
from premortem.migrations import Migration
from premortem.model import Gap, Profile, RelationKind
from premortem.twin import build, cache
from premortem.twin.build import Progress
from premortem.twin.explaining import Explainer
from premortem.twin.newcomers import Assumption
from premortem.twin.twin import Twin
from premortem.twin.whatif import WhatIf, queries

#: Production's database is the cluster's first one: a second would double what is copied for every run.
DATABASE = "postgres"
#: No plan is worth waiting longer for; the query is then "could not tell".
_LONGEST = timedelta(minutes=2)


@contextlib.contextmanager
def open(
    profile: Profile,
    *,
    branch: Profile | None = None,
    migrations: Sequence[Migration] = (),
    assumptions: Mapping[str, Assumption] | None = None,
    installation: pg.Installation | None = None,
    identity: str | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[Twin]:
    """Yield a running twin of that production, built or from the cache; it is gone when the block ends.

    `branch` is the profile of a database that the change's tests built: its schema is grafted onto production's, and
    then the migrations run.  `identity` stands for the profile in the cache's key, such as a digest of its file;
    without one the profile is digested, which takes longer the larger it is.

    Raises TwinError where the twin would not give production's numbers, InstallationError where no server is found.
    """
    chosen = installation or pg.installation(profile.server.major)
    place, locale_gaps = locale_of(profile, chosen)
    name = cache.key(identity or cache.digest(profile), branch, migrations, assumptions or {}, chosen, place)
    entry = _built(name, profile, branch, migrations, assumptions or {}, chosen, place, progress)
    progress("starting the twin")
    built = build.Built(profile=entry.profile, observed=entry.observed)
    settings = build.server_settings()
    with (
        pg.start(chosen, template=entry.data_directory, settings=settings, compact=True) as server,
        _asked(server, built, profile, locale_gaps) as asked,
    ):
        yield asked


@contextlib.contextmanager
def briefly(profile: Profile, *, installation: pg.Installation | None = None) -> Iterator[Twin]:
    """Yield a twin that is built for one question and kept nowhere: for a profile that nobody will ask about again.

    Raises what `open` raises.
    """
    chosen = installation or pg.installation(profile.server.major)
    place, locale_gaps = locale_of(profile, chosen)
    with pg.start(chosen, settings=build.server_settings(), locale=place, compact=True) as server:
        built = build.build(server, DATABASE, profile)
        with _asked(server, built, profile, locale_gaps) as asked:
            yield asked


@contextlib.contextmanager
def _asked(server: pg.Server, built: build.Built, production: Profile, locale_gaps: tuple[Gap, ...]) -> Iterator[Twin]:
    """Yield a server that was made production's twin, once it is known to be true."""
    chosen = server.installation
    exact = chosen.major == production.server.major
    gaps = (*built.profile.gaps, *locale_gaps, *(() if exact else (_other_major(production, chosen),)))
    standing = replace(built.profile, gaps=gaps)
    with pg.writer(server, purpose="twin", database=DATABASE, statement_timeout=_LONGEST) as db:
        _check_planner(db, standing)
        db.execute(queries["scratch"])
        what_if = WhatIf(db=db, server=server, profile=standing)
        explainer = Explainer(db=db, profile=standing)
        yield Twin(
            server=server, profile=standing, is_exact=exact, observed=built.observed, _explainer=explainer,
            _what_if=what_if,
        )  # fmt: skip


def _built(
    name: str,
    profile: Profile,
    branch: Profile | None,
    migrations: Sequence[Migration],
    assumptions: Mapping[str, Assumption],
    installation: pg.Installation,
    place: pg.Locale,
    progress: Progress,
) -> cache.Entry:
    found = cache.find(name, profile)
    if found is not None:
        return found
    with cache.building(name) as folder:
        found = cache.find(name, profile)
        if found is not None:  # another run built it while this one waited
            return found
        progress("building the twin")
        data = cache.data_directory(folder)
        built = _build(data, profile, branch, migrations, assumptions, installation, place, progress)
        return cache.keep(folder, name, built.profile, profile, built.observed)


def _build(
    data: Path,
    profile: Profile,
    branch: Profile | None,
    migrations: Sequence[Migration],
    assumptions: Mapping[str, Assumption],
    installation: pg.Installation,
    place: pg.Locale,
    progress: Progress,
) -> build.Built:
    settings = build.server_settings()
    with pg.start(
        installation, data_directory=data, keep=True, settings=settings, locale=place, compact=True
    ) as server:
        return build.build(
            server,
            DATABASE,
            profile,
            branch=branch,
            migrations=migrations,
            assumptions=assumptions,
            progress=progress,
        )


def locale_of(profile: Profile, installation: pg.Installation) -> tuple[pg.Locale, tuple[Gap, ...]]:
    """Return production's locale, or the nearest one that this machine has, with a gap.

    C.UTF-8 keeps what matters most: that the collation is not C, so that LIKE 'x%' needs a pattern operator class.
    """
    facts = profile.server
    provider = {"c": "libc", "i": "icu", "b": "builtin"}.get(facts.locale_provider, facts.locale_provider)
    wanted = pg.Locale(
        encoding=facts.encoding, collate=facts.collate, ctype=facts.ctype,
        provider=provider if provider in ("libc", "icu", "builtin") else "libc", locale=facts.locale,
    )  # fmt: skip
    if _has_locale(installation, wanted):
        return wanted, ()
    near = "C" if facts.collate in ("C", "POSIX") else "C.UTF-8"
    gap = Gap(
        subject=f"collation {facts.locale or facts.collate}",
        says=f"This machine lacks production's locale; the twin uses {near}.",
        effect="Range estimates on text columns may differ a little.",
        cure="install the locale (Debian: apt-get install locales-all)",
    )
    return pg.Locale(encoding="UTF8", collate=near, ctype=near), (gap,)


def _has_locale(installation: pg.Installation, wanted: pg.Locale) -> bool:
    if wanted.provider == "builtin":
        return installation.major >= 17
    if wanted.provider == "icu":
        return installation.major >= 15
    before = locale.setlocale(locale.LC_COLLATE)
    try:
        locale.setlocale(locale.LC_COLLATE, wanted.collate)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_COLLATE, before)
    return True


def _other_major(profile: Profile, installation: pg.Installation) -> Gap:
    major = profile.server.major
    return Gap(
        subject=f"PostgreSQL {major}",
        says=f"Production runs {profile.server.version}; the twin is planned by {installation.version}.",
        effect="Most plans are the same; costs and some plan shapes are another major's.",
        cure=f"install postgresql-{major}, or name its bin folder in PREMORTEM_PG_BIN",
    )


def _check_planner(db: pg.Session, profile: Profile) -> None:
    """Ask the planner for the largest tables: its rows and pages must be the injected ones.

    Raises TwinError where they are not.
    """
    stored = [t for t in profile.tables if t.kind is RelationKind.TABLE and t.pages and t.tuples > 0]
    for table in sorted(stored, key=lambda t: t.pages, reverse=True)[:5]:
        if db.value("SELECT pg_catalog.to_regclass(%(name)s) IS NULL", name=table.relation.sql):
            continue  # not created; there is a gap for it
        json = db.value(f"EXPLAIN (FORMAT JSON) SELECT FROM ONLY {table.relation.sql}")
        node = plans.parse_json(json).root
        if abs(node.rows - max(table.rows, 1)) > 1 + table.rows * 1e-6:
            raise TwinError(
                f"the twin's planner sees {node.rows:,.0f} rows in {table.full_name}, production's {table.rows:,.0f}",
                hint="pull the profile again; if that does not help, this is a bug in premortem",
            )
