from premortem import pg


def test_reads(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        assert db.value("SELECT 1") == 1
