"""A mirror with production's own statistics plans as the twin does, and stays so."""

from __future__ import annotations

import pytest

from premortem import catalog, mirror, pg
from premortem.cli import main
from premortem.mirror import Place
from premortem.model import Profile, Values
from tests.mirror.conftest import built, digest


def statistics(profile: Profile) -> dict[tuple[str, str], object]:
    return {
        (t.full_name, c.name): c.statistics for t in profile.tables for c in t.columns if t.rows > 0 and c.statistics
    }


def pulled(place: Place) -> Profile:
    with pg.session(place.dsn, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL)


def test_its_statistics_are_productions_to_the_last_digit(empty: Place, shop: Profile) -> None:
    built(empty, shop)
    theirs = statistics(shop)
    assert statistics(pulled(empty)) != theirs
    with pg.writer(empty.dsn, purpose="test") as db:
        gaps = mirror.pin(db, shop)
        casts = db.value(
            "SELECT count(*) FROM pg_cast WHERE castsource = 'bytea'::regtype"
            " AND casttarget IN ('pg_ndistinct'::regtype, 'pg_dependencies'::regtype, 'pg_mcv_list'::regtype)"
        )
    assert gaps == ()
    assert casts == 0
    mine = statistics(pulled(empty))
    assert {key: mine[key] for key in theirs if key in mine} == {key: theirs[key] for key in theirs if key in mine}
    assert len(mine) >= 0.95 * len(theirs)


def test_verifying_analyzes_and_puts_them_back(empty: Place, shop: Profile) -> None:
    built(empty, shop)
    with pg.writer(empty.dsn, purpose="test") as db:
        mirror.pin(db, shop)
    before = statistics(pulled(empty))
    mirror.verify(empty, shop, (), digest=digest(shop))
    assert statistics(pulled(empty)) == before


def test_whoever_may_not_write_the_catalog_is_told(empty: Place, shop: Profile) -> None:
    with pg.writer(empty.dsn, purpose="test") as db:
        db.execute("DROP ROLE IF EXISTS builder")
        db.execute("CREATE ROLE builder LOGIN")
    try:
        with pg.writer(f"{empty.dsn} user=builder", purpose="test") as db:
            (gap,) = mirror.pin(db, shop)
    finally:
        with pg.writer(empty.dsn, purpose="test") as db:
            db.execute("DROP ROLE builder")
    assert "may not write the catalog" in gap.says


@pytest.mark.parametrize("smaller", [("--scale", "0.5"), ("--rows", "1e4"), ("--shift-to", "now")])
def test_they_are_refused_for_other_rows(capsys: pytest.CaptureFixture[str], smaller: tuple[str, str]) -> None:
    assert main(["mirror", "build", "-p", "prod.profile", "--pin-statistics", *smaller]) == 2
    assert "all of production's rows" in capsys.readouterr().err
