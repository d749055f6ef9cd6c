"""The profile's file: what is written is read, and everything else is told apart in a sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from premortem import catalog
from premortem.catalog import codec, file
from premortem.errors import InputError, ProfileError
from premortem.model import Profile, ServerFacts, Table, Values
from premortem.model.relation import RelationKind
from tests.catalog.strategies import of

SERVER = ServerFacts(version_num=150018, version="15.18", database="shop", encoding="UTF8", collate="C", ctype="C")
PROFILE = Profile(taken_at=datetime(2026, 1, 2, tzinfo=UTC), server=SERVER, values=Values.LOW_CARDINALITY, tables=(
    Table(schema="public", name="orders", kind=RelationKind.TABLE, pages=5, tuples=1e6),
))  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(of(Profile))
def test_what_is_written_is_read(profile: Profile) -> None:
    data = file.dump(profile)
    assert file.load(data, "x") == profile
    assert file.dump(file.load(data, "x")) == data


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(of(Profile))
def test_every_profile_obeys_the_contract(profile: Profile) -> None:
    jsonschema.Draft202012Validator(catalog.json_schema()).validate(codec.encode(profile))


def test_the_contract_refuses_what_is_no_profile() -> None:
    found = codec.encode(PROFILE)
    found["tables"][0]["pages"] = "many"
    with pytest.raises(jsonschema.ValidationError, match="'many' is not of type 'integer'"):
        jsonschema.Draft202012Validator(catalog.json_schema()).validate(found)


def test_the_contract_is_valid_and_says_every_class() -> None:
    schema = catalog.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"Table", "Column", "ColumnStatistics", "Index", "Gap", "Query"} <= schema["$defs"].keys()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "prod.profile"
    catalog.write(PROFILE, path)
    catalog.write(replace(PROFILE, search_path=("a",)), path)
    assert catalog.read(path).search_path == ("a",)
    assert [p.name for p in tmp_path.iterdir()] == ["prod.profile"]
    assert path.stat().st_mode & 0o077 == 0, "values of statistics are nobody else's business"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be written"):
        catalog.write(PROFILE, tmp_path / "none" / "prod.profile")


def test_a_full_disk_leaves_the_old_profile(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        catalog.write(PROFILE, small / "prod.profile")
        tables = tuple(
            Table(schema=hashlib.sha256(str(n).encode()).hexdigest(), name="t", kind=RelationKind.TABLE)
            for n in range(2000)
        )
        with pytest.raises(ProfileError, match="No space left"):
            catalog.write(replace(PROFILE, tables=tables), small / "prod.profile")
        assert [p.name for p in small.iterdir()] == ["prod.profile"]
        assert catalog.read(small / "prod.profile") == PROFILE
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_stream_is_read_too() -> None:
    assert catalog.read(io.BytesIO(file.dump(PROFILE))) == PROFILE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "x is not a premortem profile"),
        (b"PGDMP\x01\x0e", "x is not a premortem profile"),
        (b'{"tables": []}', "x is not a premortem profile"),
        (file.dump(PROFILE)[:-1], "x is truncated: "),
        (file.dump(PROFILE)[:40], "x (is truncated|has a damaged first line)"),
        (file.dump(PROFILE)[:-9] + b"123456789", "x was changed after it was written"),
        (file.dump(PROFILE) + b"more", "x was changed after it was written"),
        (b"premortem-profile 2 zstd 10 abc\n", "x has format version 2, and this premortem reads up to 1"),
        (b"premortem-profile one gzip 10 abc\n", "x has a damaged first line"),
        (b"premortem-profile\n", "x has a damaged first line"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told_apart(data: bytes, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        file.load(data, "x")


def _file(found: object) -> bytes:
    """A file with a good header around any JSON."""
    body = gzip.compress(json.dumps(found).encode())
    digest = hashlib.sha256(body).hexdigest().encode()
    return b"premortem-profile 1 gzip %d %s\n%s" % (len(body), digest, body)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("tables", 0, "pages"), 1.5, r"tables\[0\].pages should be a whole number, but is 1.5"),
        (("tables", 0, "kind"), "heap", r"tables\[0\].kind should be one of table, .*, but is 'heap'"),
        (("tables", 0), None, r"tables\[0\] should be an object, but is None"),
        (("tables",), {}, "tables should be a list"),
        (("taken_at",), "2026-01-02T00:00:00", "taken_at should be a moment with its time zone"),
        (("taken_at",), "yesterday", "taken_at should be a moment in ISO 8601"),
        (("server", "in_recovery"), 1, "server.in_recovery should be true or false"),
        (("search_path",), ["a", 1], r"search_path\[1\] should be a text"),
    ],
)  # fmt: skip
def test_the_place_of_a_misfit_is_named(place: tuple[str | int, ...], value: object, says: str) -> None:
    found = codec.encode(PROFILE)
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(ProfileError, match=says):
        file.load(_file(found), "x")


def test_a_missing_field_is_named_and_an_unknown_one_ignored() -> None:
    found = codec.encode(PROFILE)
    assert file.load(_file(found | {"from_the_future": 1}), "x") == PROFILE
    del found["server"]["version"]
    with pytest.raises(ProfileError, match="server should be an object with version"):
        file.load(_file(found), "x")


def test_a_file_that_is_not_there_is_the_users_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        catalog.read(tmp_path / "none.profile")
    assert caught.value.exit_code == 2


def test_the_written_contract_is_the_one_in_force() -> None:
    written = Path(__file__).parents[2] / "docs" / "reference" / "profile.schema.json"
    assert json.loads(written.read_text()) == catalog.json_schema()
