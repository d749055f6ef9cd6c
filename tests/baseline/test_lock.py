"""The lock as a file: written and read again, damaged, and merged by git itself."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import baseline
from premortem.baseline import Lock
from premortem.errors import InputError
from premortem.model import Accepted, AcceptedFinding, RelationName, Severity, Site
from tests.baseline.values import accepted, finding, query

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
RELATIONS = st.builds(RelationName, schema=NAMES, name=NAMES)
FIGURES = st.floats(min_value=0, max_value=1e15).map(lambda n: float(f"{n:.2g}"))
FINDINGS = st.builds(
    AcceptedFinding, key=TEXTS, severity=st.sampled_from(Severity), reason=TEXTS, until=st.none() | st.dates()
)
ACCEPTED = st.builds(
    Accepted,
    fingerprint=st.sampled_from(["00ff", "a1b2"]),
    text=TEXTS,
    site=st.builds(Site, source=TEXTS, line=st.none() | st.integers(1, 10**6), name=st.none() | NAMES),
    shape=st.lists(TEXTS, max_size=3).map(tuple),
    rows_read=FIGURES,
    cost=FIGURES,
    tables=st.dictionaries(RELATIONS, FIGURES, max_size=3).map(lambda d: tuple(d.items())),
    indexes=st.lists(RELATIONS, max_size=3).map(tuple),
    facts=TEXTS,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    search_path=st.none() | st.lists(NAMES, max_size=2).map(tuple),
    tags=st.dictionaries(NAMES, TEXTS, max_size=2).map(lambda d: tuple(d.items())),
    is_captured=st.booleans(),
)


@given(one=ACCEPTED, settings=st.dictionaries(NAMES, TEXTS, max_size=2))
def test_what_is_written_is_read_again(one: Accepted, settings: dict[str, str]) -> None:
    lock = Lock(queries={f"{one.fingerprint}-0a0a0a": one}, settings=tuple(sorted(settings.items())))
    text = baseline.render(lock)
    assert baseline.parse(text, "premortem.lock") == lock
    assert baseline.render(baseline.parse(text, "premortem.lock")) == text


def test_the_order_of_the_queries_is_the_files_own() -> None:
    one, other = accepted("select 1"), accepted("select * from orders where id = $1")
    names = {"00-aaaaaa": one, "ff-bbbbbb": other}
    assert baseline.render(Lock(queries=names)) == baseline.render(Lock(queries=dict(reversed(names.items()))))


def test_each_field_is_one_line_and_a_query_is_readable() -> None:
    one = replace(accepted("select *\n from orders where note = 'it''s \"x\"'", name="mine"), findings=())
    text = baseline.render(Lock(queries={"00ff-000000": one}))
    assert "text = \"select *\\n from orders where note = 'it''s \\\"x\\\"'\"" in text
    assert "tables = { orders = 2_100_000 }, indexes" in text
    assert tomllib.loads(text)["query"]["00ff-000000"]["site"]["name"] == "mine"


def test_a_date_is_a_date() -> None:
    one = replace(accepted("select 1"), findings=(finding(until=date(2027, 3, 31)),))
    assert "until = 2027-03-31 }]" in baseline.render(Lock(queries={"00-aaaaaa": one}))


GOOD = baseline.render(Lock(queries={"00ff-aaaaaa": accepted("select 1")}))


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        (
            GOOD.replace("facts =", "<<<<<<< HEAD\nfacts =\n=======\nfacts =\n>>>>>>> b\nfacts ="),
            "conflict",
            "both sides",
        ),
        (GOOD[: len(GOOD) - 30], "is damaged", "git"),
        (GOOD.replace("format = 1", "format = 2"), "format 2", "upgrade"),
        (GOOD.replace("format = 1\n", ""), "format is missing", "git"),
        (GOOD.replace("cost = 8.6", 'cost = "cheap"'), "query.00ff-aaaaaa.reads.cost", "git"),
        (GOOD.replace("cost = 8.6", "cost = nan"), "query.00ff-aaaaaa.reads.cost", "git"),
        (GOOD.replace('severity = "error"', 'severity = "bad"'), "'bad' is none of", "git"),
        (GOOD.replace("[query.00ff-aaaaaa]", '[query."no name"]'), "no name", "git"),
        (GOOD + GOOD[GOOD.index("[query") :], "is damaged", "two versions of one query"),
        ("\0\1", "is damaged", "git"),
        ("query = 3\nformat = 1", "query is 3", "git"),
    ],
)
def test_a_bad_lock_is_one_clear_error(text: str, says: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        baseline.parse(text, "premortem.lock")
    assert says in caught.value.message
    assert caught.value.message.startswith("premortem.lock")
    assert hint in (caught.value.hint or "")


def test_an_unknown_field_is_a_newer_premortems() -> None:
    text = GOOD.replace("cost = 8.6", 'cost = 8.6, mood = "fine"')
    assert baseline.parse(text, "x") == baseline.parse(GOOD, "x")


class Repository:
    """A real git repository with a lock in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *names, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)

    def commit(self, queries: dict[str, Accepted]) -> None:
        (self.folder / "premortem.lock").write_text(baseline.render(Lock(queries=queries)))
        self.git("add", "-A")
        assert self.git("commit", "-q", "-m", "lock").returncode == 0

    def merged(self, queries: dict[str, Accepted], mine: dict[str, Accepted], theirs: dict[str, Accepted]) -> str:
        self.commit(queries)
        self.git("checkout", "-q", "-b", "theirs")
        self.commit({**queries, **theirs})
        self.git("checkout", "-q", "main")
        self.commit({**queries, **mine})
        assert self.git("merge", "-q", "--no-edit", "theirs").returncode == 0
        return (self.folder / "premortem.lock").read_text()


def named(sql: str, source: str) -> dict[str, Accepted]:
    return {baseline.key(query(sql)): accepted(sql, source=source)}


MANY = {
    k: v for n in range(40) for k, v in named(f"select * from orders where id = $1 and {n} = total", "a.sql").items()
}
MINE = {k: v for n in range(6) for k, v in named(f"select a{n} from orders where id = $1", "mine.sql").items()}
THEIRS = {k: v for n in range(6) for k, v in named(f"select b{n} from orders where id = $1", "theirs.sql").items()}


@pytest.mark.parametrize("queries", [{}, MANY], ids=["empty", "many"])
def test_two_branches_that_add_queries_merge(tmp_path: Path, queries: dict[str, Accepted]) -> None:
    (tmp_path / ".gitattributes").write_text("premortem.lock merge=union\n")
    text = Repository(tmp_path).merged(queries, MINE, THEIRS)
    assert baseline.parse(text, "merged").queries == {**queries, **MINE, **THEIRS}


def test_without_union_different_places_merge(tmp_path: Path) -> None:
    first, last = min(MANY), max(MANY)
    mine = {f"{first[:-7]}-0": MANY[first]}
    theirs = {f"{last}f": MANY[last]}
    text = Repository(tmp_path).merged(MANY, mine, theirs)
    assert len(baseline.parse(text, "merged").queries) == len(MANY) + 2


def test_one_branch_removes_what_another_leaves(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    gone = next(iter(MANY))
    repository.commit(MANY)
    repository.git("checkout", "-q", "-b", "theirs")
    repository.commit({k: v for k, v in MANY.items() if k != gone})
    repository.git("checkout", "-q", "main")
    repository.commit({**MANY, **MINE})
    assert repository.git("merge", "-q", "--no-edit", "theirs").returncode == 0
    text = (tmp_path / "premortem.lock").read_text()
    assert baseline.parse(text, "merged").queries == {k: v for k, v in {**MANY, **MINE}.items() if k != gone}
