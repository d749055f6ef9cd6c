"""Logs as they are found: with every kind of prefix, wrapped, cut off and damaged."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.capture import from_logs, logs
from premortem.capture.executed import Executed
from premortem.errors import InputError

AT = "2026-11-22 03:15:27"


def read(text: str | bytes, **how: str) -> list[Executed]:
    raw = text.encode() if isinstance(text, str) else text
    return list(logs.read(iter(raw.splitlines(keepends=True)), **how))


#: log_line_prefix of distributions and services, and what it prints for a session.
PREFIXES = {
    "default": ("%m [%p] ", f"{AT}.538 UTC [77] "),
    "Debian": ("%m [%p] %q%u@%d ", f"{AT}.538 UTC [77] ann@shop "),
    "RDS": ("%t:%r:%u@%d:[%p]:", f"{AT} UTC:10.0.0.1(5432):ann@shop:[77]:"),
    "Cloud SQL": ("%m [%p]: [%l-1] db=%d,user=%u ", f"{AT}.538 UTC [77]: [4-1] db=shop,user=ann "),
    "Azure": ("%t-%c-", f"{AT} UTC-6b025e4f.4d1d-"),
    "pgBadger": ("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", f"{AT} UTC [77]: [4-1] user=ann,db=shop,app=web 2,client=10.0.0.1 "),
    "Heroku-like": ("[%u] [%p-1] sql_error_code = %e time_ms = \"%m\" pid=\"%p\" ", f'[ann] [77-1] sql_error_code = 00000 time_ms = "{AT}.538 UTC" pid="77" '),
    "epoch": ("%n %p %v ", "1732245327.538 77 3/8 "),
    "offset zone": ("%m [%p] ", f"{AT}.538 +0530 [77] "),
    "none": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize("known", [False, True], ids=["inferred", "given"])
@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes(name: str, known: bool) -> None:
    prefix, printed = PREFIXES[name]
    text = (
        f"{printed}LOG:  checkpoint starting: time\n"
        f"{printed}LOG:  execute <unnamed>: select *\n\tfrom t\n\twhere a = $1\n"
        f"{printed}DETAIL:  Parameters: $1 = 'x: LOG:  y'\n"
        f"{printed}LOG:  duration: 0.1 ms\n"
        f"{printed}LOG:  statement: select 1 from t\n"
        f'{printed}ERROR:  column "x" does not exist at character 8\n'
        f"{printed}STATEMENT:  select 1 from t\n"
    )
    found = read(text, **({"prefix": prefix} if known else {}))
    assert [(e.text, e.parameters, e.failed) for e in found] == [
        ("select *\nfrom t\nwhere a = $1", ("x: LOG:  y",), False),
        ("select 1 from t", None, True),
    ]
    if "[77]" in printed or "pid=" in printed:
        assert {e.session for e in found} == {"77"}
    if "ann@shop" in printed or "user=ann" in printed:
        assert {(e.role, e.database) for e in found} == {("ann", "shop")}


def test_sessions_that_talk_at_once_are_told_apart() -> None:
    text = (
        f"{AT} UTC [1] LOG:  statement: select 1 from t\n"
        f"{AT} UTC [2] LOG:  statement: select 2 from t\n"
        f"{AT} UTC [1] ERROR:  relation is missing at character 1\n"
        f"{AT} UTC [1] STATEMENT:  select 1 from t\n"
    )
    assert {e.text: e.failed for e in read(text)} == {"select 1 from t": True, "select 2 from t": False}


def test_what_a_server_could_not_do_just_then_did_not_fail() -> None:
    text = f"{AT} UTC [1] LOG:  statement: select 1 from t\n{AT} UTC [1] ERROR:  {{}}\n{AT} UTC [1] STATEMENT:  select 1 from t\n"
    for message in (
        "canceling statement due to statement timeout",
        "deadlock detected",
        "duplicate key value violates",
    ):
        assert [e.failed for e in read(text.format(message))] == [False]
    assert [e.failed for e in read(text.format("syntax error at or near"))] == [True]


def test_syslog_in_numbered_parts() -> None:
    head = "Nov 22 03:15:27 db1 postgres[77]:"
    text = (
        f"{head} [5-1] {AT} UTC LOG:  statement: select *\n"
        "Nov 22 03:15:27 db1 postgres[78]: [9-1] 2026 LOG:  statement: select 2 from t\n"
        f"{head} [5-2] #011from t where a = 'long\n"
        f"{head} [5-3]  text'\n"
        "Nov 22 03:15:27 db1 sshd[1]: session opened\n"
        f"{head} [6-1] {AT} UTC LOG:  execute <unnamed>: select b from t where a = $1\n"
        f"{head} [6-2] {AT} UTC DETAIL:  parameters: $1 = '5'\n"
    )
    found = {e.text: (e.session, e.parameters) for e in read(text)}
    assert found == {
        "select *\nfrom t where a = 'long text'": ("77", None),
        "select 2 from t": ("78", None),
        "select b from t where a = $1": ("77", ("5",)),
    }


LINES = [f"{AT} UTC [1] LOG:  statement: select *\n\tfrom t\n", f"{AT} UTC [1] LOG:  statement: select 2 from t\n"]


@pytest.mark.parametrize(
    "wrapped",
    [
        "".join(json.dumps({"log": line + "\n", "stream": "stderr"}) + "\n" for whole in LINES for line in whole.splitlines()),
        "".join(json.dumps({"textPayload": line, "resource": {}}) + "\n" for line in LINES),
        "".join(json.dumps({"timestamp": 5, "message": line}) + "\n" for line in LINES),
    ],
    ids=["Docker", "Cloud Logging", "CloudWatch"],
)  # fmt: skip
def test_text_inside_json(wrapped: str) -> None:
    assert [e.text for e in read(wrapped)] == ["select *\nfrom t", "select 2 from t"]


def test_records_of_cloudnativepg() -> None:
    record = {"error_severity": "LOG", "message": "statement: select 1 from t", "process_id": "7", "user_name": "ann", "log_time": f"{AT} UTC"}  # fmt: skip
    (found,) = read(json.dumps({"level": "info", "msg": "record", "record": record}))
    assert (found.text, found.role, found.session) == ("select 1 from t", "ann", "7")


JSON = json.dumps(
    {"timestamp": f"{AT} UTC", "pid": 1, "error_severity": "LOG", "message": "statement: select 1 from t"}
)
CSV = f'{AT}.5 UTC,"ann","shop",7,"[local]",6b025e4f.4d1d,1,"SELECT",{AT} UTC,3/8,0,LOG,00000,"statement: select ""a""\nfrom t",,,,,,,,,"app","client backend",,0\n'


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"{JSON}\n{JSON}\n{JSON[:60]}".encode(), 2),
        (f"{JSON[-60:]}\n{JSON}\n".encode(), 1),
        (b"\0" * 50 + b"\n" + f"{JSON}\n".encode(), 1),
        (JSON.encode().replace(b"from t", b"from \xe9"), 1),
        (f"{CSV}{CSV}{CSV[:150]}".encode(), 2),
        (f'and b = "x",,,,\n{CSV}'.encode(), 1),
        (f'{CSV[:170]}\n{CSV}'.encode(), 1),
        (CSV.encode().replace(b"from t", b"from \xe9"), 1),
        (("\tfrom somewhere\n" + LINES[0] + LINES[1][:-9]).encode(), 2),
        (LINES[0].encode().replace(b"from t", b"from \xe9\xff") + LINES[1].encode(), 2),
        (b"", 0),
        (b"\n\n", 0),
    ],
)  # fmt: skip
def test_damage_costs_only_what_is_damaged(text: bytes, count: int) -> None:
    assert len(read(text)) == count


def test_gzip_and_a_cut_end(tmp_path: Path) -> None:
    whole = gzip.compress(("".join(LINES) * 5_000).encode(), 1)
    path = tmp_path / "x.log.gz"
    for content, enough in ((whole, 10_000), (whole[: len(whole) // 2], 1_000)):
        path.write_bytes(content)
        with logs.opened(path) as lines:
            assert sum(1 for _ in logs.read(lines)) >= enough


@pytest.mark.parametrize(
    ("text", "line"),
    [("\n\nhello\nworld\n", 3), ('{"a": 1}\n{"b": 2}\n', 1), ("a,b\n1,2\n", 1), ("<html></html>\n", 1)],
)
def test_what_is_no_log_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError, match=f"line {line} ") as raised:
        read(text)
    assert raised.value.exit_code == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.log cannot be read"), logs.opened(tmp_path / "missing.log"):
        pass


def test_a_prefix_that_postgresql_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="%y"):
        read(LINES[0], prefix="%y ")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["jsonlog", "csvlog", "stderr", "syslog", "json with text inside"]))
def test_any_bytes_are_read_to_the_end(content: bytes, form: str) -> None:
    list(logs.read([*content.splitlines(keepends=True), b"\n"], form=form))


def test_a_long_log_is_read_in_little_memory() -> None:
    def lines() -> Iterator[bytes]:
        for n in range(5_000):
            yield f"{AT} UTC [{n % 50}] LOG:  statement: select * from t where a = {n} and b = 'x{n}'\n".encode()

    tracemalloc.start()
    logs.gather(logs.read(lines()))
    first, _ = tracemalloc.get_traced_memory()
    logs.gather(logs.read(line for _ in range(2) for line in lines()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < first + (20 << 20)


def test_a_log_that_is_cut_off_is_told(tmp_path: Path) -> None:
    whole = gzip.compress(("".join(LINES) * 5_000).encode(), 1)
    (tmp_path / "whole.log.gz").write_bytes(whole)
    (tmp_path / "cut.log.gz").write_bytes(whole[: len(whole) // 2])
    assert from_logs([str(tmp_path / "whole.log.gz")]).gaps == ()
    (gap,) = from_logs([str(tmp_path / "cut.log.gz")]).gaps
    assert "cut off" in gap.says
