"""A plan that takes for ever ends as "could not tell", and the twin goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from premortem import twin
from premortem.errors import ServerTimeout
from premortem.model import Profile

from .conftest import LITERAL, query


def test_a_plan_that_takes_too_long_is_given_up(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("premortem.twin.opening._LONGEST", timedelta(seconds=1))
    slow = "begin perform pg_sleep(60); return 5; end"
    profile = production(
        "create table t (id int primary key);\ninsert into t select generate_series(1, 1000);\n"
        f"create function slow() returns int immutable language plpgsql as $${slow}$$"
    )
    here = opened(profile)

    # An immutable function of constants is evaluated while planning.
    with pytest.raises(ServerTimeout):
        here.explain(query("select * from t where id = public.slow()"), LITERAL)
    assert here.explain(query("select * from t where id = 5"), LITERAL).plan.root.index == "t_pkey"
