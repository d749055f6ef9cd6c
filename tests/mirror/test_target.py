"""Where no mirror may be built."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import pg
from premortem.errors import TargetRefused
from premortem.mirror import Options, Place, space, target
from premortem.mirror.target import Facts, Wanted
from premortem.model import Profile
from tests.mirror.conftest import built, value

FACTS = Facts(
    database="staging", in_recovery=False, read_only=False, role="", encoding="UTF8", collate="C", may_create=True,
    is_mirror=False, relations=0, first_relations=None, is_local=True, system_identifier="1",
)  # fmt: skip
WANTED = Wanted(digest="d", options=Options())


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (replace(FACTS, role="production"), "says that it is production"),
        (replace(FACTS, in_recovery=True), "replica in recovery"),
        (replace(FACTS, read_only=True), "read-only"),
        (replace(FACTS, system_identifier="77"), "the one that the profile was taken from"),
        (replace(FACTS, system_identifier="77", role="production"), "says that it is production"),
        (replace(FACTS, may_create=False), "may not create"),
        (replace(FACTS, relations=2, first_relations="orders, items"), "such as orders, items"),
    ],
)
def test_refused(shop18: Profile, facts: Facts, says: str) -> None:
    production = replace(shop18, server=replace(shop18.server, system_identifier="77"))
    found = target.refusal(facts, production, None, WANTED)
    assert found is not None
    assert says in found.message
    assert found.exit_code == 2


def test_admitted(shop18: Profile) -> None:
    assert target.refusal(FACTS, shop18, None, WANTED) is None
    same = replace(FACTS, system_identifier=shop18.server.system_identifier, role="staging")
    assert target.refusal(same, shop18, None, WANTED) is None
    unknown = replace(shop18, server=replace(shop18.server, system_identifier=""))
    assert target.refusal(replace(FACTS, system_identifier=""), unknown, None, WANTED) is None


def test_productions_own_server(shop18: Profile, empty18: Place) -> None:
    """Nothing is written there, not even into an empty database."""
    with pg.writer(empty18.dsn, purpose="test") as db:
        database = db.value("SELECT current_database()")
        db.execute(f"ALTER DATABASE {database} RESET premortem.role")
    assert shop18.server.system_identifier
    with pytest.raises(TargetRefused, match="profile was taken from"):
        built(empty18, shop18)
    assert value(empty18, "SELECT to_regnamespace('premortem') IS NULL") is True


def test_somebodys_data(shop18: Profile, empty18: Place) -> None:
    with pg.writer(empty18.dsn, purpose="test") as db:
        db.execute("CREATE VIEW mine AS SELECT 1 AS one")
    with pytest.raises(TargetRefused, match=r"1 relation, such as mine"):
        built(empty18, shop18)
    assert value(empty18, "SELECT to_regnamespace('premortem') IS NULL") is True


def test_another_mirror(shop18: Profile, empty18: Place) -> None:
    first = built(empty18, shop18, Options(rows=1000))
    again = built(empty18, shop18, Options(rows=1000))
    assert again.was_there
    assert again.rows == first.rows
    with pytest.raises(TargetRefused, match="other options"):
        built(empty18, shop18)
    with pytest.raises(TargetRefused, match="another profile"):
        built(empty18, replace(shop18, search_path=("other",)), Options(rows=1000))


def test_begun_by_another_version(shop18: Profile, empty18: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows and ours would not be of one making."""
    with monkeypatch.context() as patch:
        patch.setattr("premortem.mirror.schema.create", lambda *a, **b: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr("premortem.mirror.manifest.__version__", "0.0.1")
        with pytest.raises(KeyboardInterrupt):
            built(empty18, shop18)
    with pytest.raises(TargetRefused, match=r"premortem 0\.0\.1 began that mirror"):
        built(empty18, shop18, resume=True)


def test_a_role_that_may_not_create(shop18: Profile, empty18: Place) -> None:
    with pg.writer(empty18.dsn, purpose="test") as db:
        db.execute("DROP ROLE IF EXISTS weak")
        db.execute("CREATE ROLE weak LOGIN")
    with pytest.raises(TargetRefused, match="may not create"):
        built(Place(dsn=f"{empty18.dsn} user=weak"), shop18)


def test_a_role_that_is_no_superuser(shop18: Profile, empty18: Place) -> None:
    with pg.writer(empty18.dsn, purpose="test") as db:
        db.execute("DROP ROLE IF EXISTS plain")
        db.execute("CREATE ROLE plain LOGIN")
        db.execute(f"ALTER DATABASE {db.value('SELECT current_database()')} OWNER TO plain")
    found = built(Place(dsn=f"{empty18.dsn} user=plain"), shop18)
    assert found.rows == 33_000
    assert [g for g in found.gaps if "sales" in g.subject] == []
    with pg.writer(empty18.dsn, purpose="test") as db:
        db.execute("REASSIGN OWNED BY plain TO premortem")
        db.execute(f"ALTER DATABASE {db.value('SELECT current_database()')} OWNER TO premortem")


def test_a_disk_that_is_too_small(shop18: Profile, empty18: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free", lambda directory: 1_000_000)
    with pytest.raises(TargetRefused, match=r"the mirror needs about .* and the disk has 977 kB"):
        built(empty18, shop18)
    assert value(empty18, "SELECT to_regnamespace('premortem') IS NULL") is True
    assert built(empty18, shop18, Options(scale=0.01)).rows > 0


def test_room(shop18: Profile) -> None:
    whole, half = space.needed(shop18), space.needed(shop18, 0.5)
    assert half.tables == pytest.approx(whole.tables / 2, abs=2)
    assert whole.total > whole.tables + whole.indexes
    only = space.needed(shop18, only=[t.relation for t in shop18.tables if t.name == "orders"])
    assert 0 < only.tables < whole.tables
