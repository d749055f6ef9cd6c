"""Secrets are found where the settings say, and never leave through a line of the log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from premortem.daemon.journal import Journal
from premortem.errors import PremortemError, SettingsError
from premortem.secrets import Secrets, all_of, hidden_parts
from premortem.settings import Channel, Instance, Secret, Watching


def of(tmp_path: Path, **variables: str) -> Secrets:
    return Secrets(variables=variables, folders=(tmp_path / "credentials", tmp_path))


def test_a_value_stands_in_the_settings_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    secrets = of(tmp_path, TOKEN=" from-the-environment ")
    assert secrets.read(Secret(said="plain"), "x") == "plain"
    assert secrets.read(Secret(env="TOKEN"), "x") == "from-the-environment"
    assert secrets.read(Secret(file="token"), "x") == "from-a-file"
    assert secrets.read(Secret(file=str(tmp_path / "token")), "x") == "from-a-file"
    assert secrets.read(Secret(), "x") == ""


def test_what_systemd_hands_out_comes_first(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "token").write_text("beside the settings")
    (tmp_path / "credentials" / "token").write_text("systemd's")
    assert of(tmp_path).read(Secret(file="token"), "x") == "systemd's"


def test_a_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    assert of(tmp_path).read(Secret(file="token"), "x") == "old"
    (tmp_path / "token").write_text("new")
    assert of(tmp_path).read(Secret(file="token"), "x") == "new"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"a\0b", "holds a NUL"),
        (b"\xff\xfe", "is not text"),
        (b"x" * 100_000, "too large"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_bad_file_is_named_with_what_wants_it(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    with pytest.raises(SettingsError, match=says) as raised:
        of(tmp_path).read(Secret(file="bad"), "the token of channel ops")
    assert "the token of channel ops" in raised.value.message
    assert str(tmp_path / "bad") in raised.value.message


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SLACK_URL, which is not set"):
        of(tmp_path).read(Secret(env="SLACK_URL"), "the address of channel ops")


def test_every_secret_of_the_settings_is_read(tmp_path: Path) -> None:
    watching = Watching(
        store=Secret(said="store"),
        instances=(Instance(name="db-1", dsn=Secret(env="DSN")),),
        channels=(Channel(name="ops", kind="slack", url=Secret(said="https://hooks.example/T1/secret")),),
    )
    values = all_of(watching, of(tmp_path, DSN="host=a password=hunter22"))
    assert set(values.values()) == {"store", "host=a password=hunter22", "https://hooks.example/T1/secret", ""}
    with pytest.raises(SettingsError, match="instance db-1"):
        all_of(watching, of(tmp_path))


def test_no_line_shows_a_secret() -> None:
    stream = io.StringIO()
    journal = Journal(stream)
    journal.hide(hidden_parts(["postgresql://alice:correct-horse@db/shop", "https://hooks.example/T1/secret"]))
    journal.fail("poll.failed", PremortemError("password correct-horse was wrong", hint="not correct-horse"))
    journal.warn("send.failed", says="POST https://hooks.example/T1/secret answered 500", channel="ops")
    said = stream.getvalue()
    assert "correct-horse" not in said
    assert "T1/secret" not in said
    assert said.count("***") == 3


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    stream = io.StringIO()
    Journal(stream).say("alert.opened", says='a "b"\nlevel=error\x1b[31m', instance="db-1", empty="")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r'event=alert.opened says="a \"b\" level=error\\x1b[31m" instance=db-1 empty=""')


def test_the_journal_survives_its_reader() -> None:
    stream = io.StringIO()
    stream.close()
    Journal(stream).say("still.here")
