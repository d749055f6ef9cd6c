"""What happens when something goes wrong: one sentence, the right exit code, no server left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from premortem.cli import border, main
from premortem.errors import PremortemError, StatementError, UsageError
from tests.cli.conftest import Premortem
from tests.signals import heed_interrupts


def raising(error: BaseException) -> int:
    def command() -> int:
        raise error

    return border.guarded(command, debug=False)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such thing", hint="try another"), 2, "premortem: no such thing\n  hint: try another\n"),
        (PremortemError("cannot tell"), 3, "premortem: cannot tell\n"),
        (StatementError("no column x"), 3, "premortem: no column x\n"),
        (KeyboardInterrupt(), 130, "premortem: interrupted\n"),
        (ZeroDivisionError("by zero"), 3, "premortem: ZeroDivisionError: by zero; this is a bug in premortem\n"),
        (OSError(errno.EACCES, "denied", "out"), 3, "premortem: out: Permission denied\n"),
        (RecursionError(), 3, "premortem: RecursionError; this is a bug in premortem\n"),
        (MemoryError(), 3, "premortem: MemoryError; this is a bug in premortem\n"),
    ],
)
def test_an_error_is_a_sentence_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) == code
    assert capsys.readouterr().err.startswith(said)


def test_an_errors_text_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    raising(PremortemError("a\x1b[2Jb"))
    assert "\x1b" not in capsys.readouterr().err


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise ZeroDivisionError

    assert border.guarded(command, debug=True) == 3
    assert "Traceback" in capsys.readouterr().err


def program(body: str) -> list[str]:
    start = "import sys; from premortem.cli import border\n"
    end = "\nsys.exit(border.guarded(command, debug=False))"
    return [sys.executable, "-c", start + textwrap.dedent(body) + end]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_unwinds(number: signal.Signals, code: int) -> None:
    body = """
    import time
    def command():
        try:
            print("ready", flush=True)
            time.sleep(600)
        finally:
            print("cleaned up", flush=True)
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(program(body), text=True, preexec_fn=heed_interrupts, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        assert out == "cleaned up\n"
        assert process.returncode == code


def test_a_closed_pipe_is_quiet() -> None:
    body = """
    from premortem.cli import output
    def command():
        output.write("x" * 10_000_000)
        return 0
    """
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(program(body), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


def test_a_full_disk_is_told_and_is_no_pass() -> None:
    body = """
    from premortem.cli import output
    def command():
        output.write("x" * 10_000)
        return 0
    """
    with open("/dev/full", "w") as full:
        done = subprocess.run(program(body), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["profile"], ["frob"], ["check"], ["check", "-p"], ["--formt", "x"]])
def test_a_wrong_command_is_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: premortem" in capsys.readouterr().err


def test_the_version_is_told(premortem: Premortem) -> None:
    done = premortem("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("premortem 0.")


def test_help_survives_a_closed_pipe() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "premortem", "check", "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_a_report_replaces_its_file_as_a_whole(tmp_path: Path) -> None:
    from premortem.cli import output

    target = tmp_path / "report.md"
    target.write_text("old")
    target.chmod(0o640)
    output.write("new\n", str(target))
    assert target.read_text() == "new\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_destination_is_refused_before_the_work(tmp_path: Path) -> None:
    from premortem.cli import output

    for bad in (tmp_path, tmp_path / "no" / "file"):
        with pytest.raises(UsageError):
            output.check(str(bad))
    output.check("-")
    output.check("/dev/null")


def test_a_report_that_cannot_be_written_is_no_pass() -> None:
    from premortem.cli import output

    with pytest.raises(PremortemError) as caught:
        output.write("x" * 100_000, "/dev/full")
    assert caught.value.exit_code == 3
