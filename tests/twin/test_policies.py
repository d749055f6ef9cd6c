"""A tenant's policy is planned for a tenant that exists, so that its column does not look like a primary key."""

from __future__ import annotations

from collections.abc import Callable

from premortem import twin
from premortem.model import Profile
from premortem.twin import policies
from tests.twin.conftest import query

SCRIPT = """
CREATE TABLE docs (id int PRIMARY KEY, tenant int NOT NULL, owner uuid NOT NULL, body text);
INSERT INTO docs SELECT i, 700 + i % 4, md5((i % 3000)::text)::uuid, 'x' FROM generate_series(1, 12000) i;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON docs USING (tenant = current_setting('app.tenant')::int);
CREATE TABLE plain (id int PRIMARY KEY)
"""


def test_the_setting_holds_a_value_that_the_column_has(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(SCRIPT)
    first = next(policies.values("app.tenant", profile))
    assert 700 <= int(first) < 704
    planned = opened(profile).explain(query("select * from docs"))
    assert 2500 < planned.plan.root.rows < 3500


def test_an_unknown_setting_is_made_up(production: Callable[[str], Profile]) -> None:
    assert next(policies.values("app.other", production(SCRIPT))) == "1"
