"""What can be typed.  Building it imports the standard library only, so that `--help` and start-up stay quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from premortem import __version__

FORMATS = ("terminal", "markdown", "html", "json", "sarif", "junit", "github", "gitlab", "text")
ADVICE_FORMATS = ("terminal", "sql", "json", "markdown", "html")
VALUES = ("low-cardinality", "all", "none")

_EPILOG = """\
exit codes:
  0  nothing that fails          2  the command or its settings are wrong
  1  the gate says no            3  could not tell

`-` in place of a query, path or output means standard input or output.
"""

_CHECK = """\
Plans every query of the paths as production would, without production's rows, with several sets of parameter
values chosen from its statistics. Says which will hurt, and proposes the index that cures it, tried on the twin.
`premortem check -p FILE -- pytest` runs a test suite, on a server of its own, and judges every query that it makes,
on the schema that its migrations build.
"""


def build() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; each command names its module in `module`."""
    parser = argparse.ArgumentParser(
        prog="premortem",
        description="Finds the PostgreSQL query that will take production down before it is merged.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"premortem {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    _demo(commands)
    _profile(commands)
    _explain(commands)
    _check(commands)
    _adopt(commands)
    _advise(commands)
    _capture(commands)
    _mirror(commands)
    _comment(commands)
    _diagnose(commands)
    _watch(commands)
    _history(commands)
    _deploy(commands)
    _init(commands)
    _rules(commands)
    _doctor(commands)
    return parser


#: What `add_subparsers` returns; argparse has no public name for it.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: _Commands, name: str, module: str, help: str, description: str = "") -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description=description or f"{help[0].upper()}{help[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(module=module)
    return parser


def _demo(commands: _Commands) -> None:
    parser = _command(commands, "demo", "demo", "an incident end to end, on a server of its own; needs nothing else")
    parser.add_argument("--keep", action="store_true", help="leave the demo's servers running to look around")


def _profile(commands: _Commands) -> None:
    about = "read, show and compare production profiles"
    parser = commands.add_parser("profile", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    _profile_pull(verbs)
    _profile_grants(verbs)
    show = _command(verbs, "show", "profile_show", "say what a profile holds, and what it lacks")
    show.add_argument("profile", type=Path, metavar="FILE", help="the profile")
    diff = _command(verbs, "diff", "profile_diff", "say what changed in production between two profiles")
    diff.add_argument("old", type=Path, metavar="A", help="the older profile")
    diff.add_argument("new", type=Path, metavar="B", help="the newer profile")


def _profile_pull(verbs: _Commands) -> None:
    parser = _command(
        verbs,
        "pull",
        "profile_pull",
        "read production's profile: schema, sizes and statistics, no rows",
        "Reads schema, sizes, statistics and settings of a database in one read-only transaction, and no rows.",
    )
    parser.add_argument("dsn", metavar="DSN", help="connection string or URI; libpq's PG* variables fill in the rest")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help="the profile to write")
    parser.add_argument(
        "--values",
        choices=VALUES,
        default=VALUES[0],
        help="which values of the statistics leave production as they are (default: %(default)s)",
    )
    parser.add_argument(
        "--statement-timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="give up on a single read after this long (default: 60)",
    )


def _profile_grants(verbs: _Commands) -> None:
    parser = _command(verbs, "grants", "profile_grants", "print the SQL that lets a role pull profiles, and no more")
    parser.add_argument("--role", default="premortem", metavar="NAME", help="the role (default: %(default)s)")


def _explain(commands: _Commands) -> None:
    parser = _command(
        commands,
        "explain",
        "explain",
        "judge one query and show its plan for every set of parameter values",
    )
    parser.add_argument(
        "query",
        nargs="?",
        metavar="QUERY",
        help="a query, a file that holds one, or - for standard input (default: -); with --plan, the plan's statement",
    )
    parser.add_argument(
        "--plan",
        metavar="FILE",
        help="judge the plans in a file, or in - for standard input, as they stand there: EXPLAIN's text, JSON, XML or"
        " YAML, pasted or logged; needs no profile",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="given",
        metavar="NAME=VALUE",
        help="judge it with this value too; NAME is the placeholder's name or number; may be repeated",
    )
    parser.set_defaults(jobs=1)
    _judging(parser, profile_required=False)


def _check(commands: _Commands) -> None:
    parser = _command(commands, "check", "check", "judge the queries of files and folders; the gate for CI", _CHECK)
    _paths(parser)
    _lock(parser)
    parser.add_argument(
        "--changed-since",
        metavar="REF",
        help="judge what the branch adds or edits since it left REF, such as origin/main, by the files and lock there",
    )
    parser.add_argument("--no-lock", action="store_true", help="judge everything in full, whatever was accepted")
    parser.add_argument(
        "--schema",
        action="store_true",
        help="judge production's schema as it is too, and not just what the change makes of it; needs no query",
    )
    parser.add_argument(
        "--update-lock",
        action="store_true",
        help="record the queries that pass in the lock, and forget those that are gone, but no captured one; what "
        "fails stays out of it",
    )
    _judging(parser)


_ADOPT_ABOUT = """\
Writes the lock: every query with the plan that it has today, and all of today's findings as accepted. From then on
check judges what is new, edited or got worse.
"""


def _adopt(commands: _Commands) -> None:
    about = "accept what is there already, so that check judges what is new"
    parser = _command(commands, "adopt", "adopt", about, _ADOPT_ABOUT)
    _paths(parser)
    _lock(parser)
    parser.add_argument(
        "--until",
        type=_day,
        metavar="DATE",
        help="accept the findings until this day, such as 2027-03-31; then they fail",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why they are accepted (default: adopted and today's date)")
    _twin(parser)
    parser.set_defaults(no_lock=False, changed_since=None)


_ADVISE = """\
Finds the indexes that serve a whole workload best for the space that they take, and says what each one does for which
query, what it costs those who write, and how it is created and undone. Without QUERIES, the workload is production's
own, as pg_stat_statements counted it. Nothing is created: --format sql writes a script.
Ends with 0 where it could tell, whether or not there is anything to do, and with 3 where no query could be planned.
"""


def _advise(commands: _Commands) -> None:
    about = "find the indexes that a whole workload is best served by, and those that may go"
    parser = _command(commands, "advise", "advise", about, _ADVISE)
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="QUERIES",
        help="a .sql file, a folder, a .capture file, or - for standard input (default: the profile's own workload)",
    )
    parser.add_argument("-p", "--profile", type=Path, required=True, metavar="FILE", help="production's profile")
    parser.add_argument("--workload", action="store_true", help="the profile's own workload besides QUERIES")
    _advise_limits(parser)
    parser.add_argument(
        "--drop", action="store_true", help="say which indexes may go, too; with --budget 0, nothing else"
    )
    parser.add_argument(
        "--replica-profile",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a replica's profile: an index that is used there stays; may be repeated",
    )
    parser.add_argument(
        "--explain",
        action="append",
        default=[],
        metavar="INDEX",
        help="say why this index, or why not: 'orders(status, created_at) WHERE paid', a CREATE INDEX statement, or "
        "the name of an existing or proposed one; may be repeated",
    )
    parser.add_argument(
        "--mirror",
        metavar="DSN",
        help="build the indexes there and execute what they change, without and with them: a mirror, or a staging"
        " copy; nothing that is done there stays",
    )
    parser.add_argument(
        "--mirror-timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="end a query that takes longer on the mirror (default: 30)",
    )
    parser.add_argument(
        "-f", "--format", choices=ADVICE_FORMATS, default=ADVICE_FORMATS[0], help="default: %(default)s"
    )
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="write it there (default: -)")
    parser.add_argument("--details", action="store_true", help="everything, in the terminal's format too")
    parser.add_argument(
        "-j",
        "--jobs",
        type=_count,
        metavar="N",
        help="plan in so many processes (default: as many as there are cores, where there are many queries)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")


def _advise_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget", type=_size, metavar="SIZE", help="what new indexes may take, such as 500MB (default: no limit)"
    )
    parser.add_argument("--max-per-table", type=_count, metavar="N", help="at most so many new indexes on a table")
    parser.add_argument(
        "--max-upkeep",
        type=_ago,
        metavar="TIME",
        help="at most so much database time a day to keep them, such as 90s or 5m",
    )
    parser.add_argument(
        "--min-share",
        type=_share,
        default=0.01,
        metavar="SHARE",
        help="an index saves at least this share of the time of its table's queries (default: %(default)s)",
    )
    parser.add_argument(
        "--skip-below",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="leave out queries that take less than this share of the measured time, such as 0.0001 (default: none)",
    )
    parser.add_argument(
        "--time",
        type=_seconds,
        metavar="SECONDS",
        help="give the best set found by then; so does Ctrl-C (default: until nothing better is found)",
    )


def _paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a .sql file, a folder of them, a .capture file, or - for standard input",
    )
    parser.add_argument("--workload", action="store_true", help="judge the profile's own workload too")
    parser.add_argument(
        "-j",
        "--jobs",
        type=_count,
        metavar="N",
        help="judge in so many processes (default: as many as there are cores, where there are many queries)",
    )
    _server_for_suite(parser.add_argument_group("for a test suite after --"))


def _lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lock",
        type=Path,
        metavar="FILE",
        help="the accepted queries (default: premortem.lock here, where there is one)",
    )


_CAPTURE = """\
Runs a command, such as a test suite, on a PostgreSQL server of its own, and writes every distinct statement that
reached the server to a file, with sample values, and the schemas that the suite's migrations built.
The command finds the server by DATABASE_URL, by libpq's PG* variables, and by what --set sets.

The exit code is the command's own; 124: it took longer than --timeout; 125: premortem itself failed;
126 and 127: the command cannot be run, or is not there.
"""


def _capture(commands: _Commands) -> None:
    parser = _command(commands, "capture", "capture", "run a test suite and keep what it asks the database", _CAPTURE)
    parser.usage = "premortem capture [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", default=Path("premortem.capture"), help="default: %(default)s"
    )
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="FILE",
        help="read a log (jsonlog, csvlog, stderr, also gzip) or a dump of pg_stat_statements instead of running a"
        " command; - for standard input; may be repeated",
    )
    parser.add_argument("--log-line-prefix", metavar="TEXT", help="the server's log_line_prefix (default: found out)")
    parser.add_argument(
        "--dsn",
        metavar="DSN",
        help="look at this server, which the command uses already, instead of starting one; without a command, at"
        " what pg_stat_statements counted there so far",
    )
    _server_for_suite(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what was captured")


def _server_for_suite(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--pg",
        type=int,
        metavar="MAJOR",
        help="PostgreSQL's major version (default: production's where it is known, else the embedded one)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="given",
        metavar="NAME=TEXT",
        help="a variable for the command; {dsn}, {user}, {password}, {host}, {port} and {database} in TEXT are"
        " filled in; may be repeated",
    )
    parser.add_argument("--user", default="app", metavar="NAME", help="the command's role (default: %(default)s)")
    parser.add_argument("--password", metavar="TEXT", help="its password (default: a random one)")
    parser.add_argument("--database", default="app", metavar="NAME", help="its database (default: %(default)s)")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="end a command that takes longer")
    parser.add_argument(
        "--no-pytest-plugin",
        action="store_false",
        dest="pytest_plugin",
        help="do not have pytest tell which test runs when",
    )


def _judging(parser: argparse.ArgumentParser, *, profile_required: bool = True) -> None:
    _twin(parser, profile_required=profile_required)
    _on_mirror(parser)
    _reports(parser)


def _twin(parser: argparse.ArgumentParser, *, profile_required: bool = True) -> None:
    parser.add_argument(
        "-p", "--profile", type=Path, required=profile_required, metavar="FILE", help="production's profile"
    )
    parser.add_argument(
        "-m",
        "--migrations",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a .sql file, a folder of them, or - for standard input, that the change brings; may be repeated",
    )
    parser.add_argument(
        "-s",
        "--settings",
        type=Path,
        metavar="FILE",
        help="the settings (default: premortem.toml here, where there is one)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")


def _on_mirror(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirror",
        metavar="DSN",
        help="execute the queries there as well, with EXPLAIN (ANALYZE, BUFFERS), and build the proposed indexes to "
        "prove them: a mirror, or a staging copy; nothing that is done there stays",
    )
    parser.add_argument(
        "--mirror-values",
        action="store_true",
        help="execute with values of a staging copy's own rows, too; they then stand in the report (those of a mirror"
        " that premortem made are nobody's, and always taken)",
    )
    parser.add_argument(
        "--mirror-timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="a query that takes longer on the mirror fails (default: 30)",
    )


def _reports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", choices=FORMATS, default=FORMATS[0], help="default: %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="write the report there (default: -)")
    parser.add_argument(
        "--save",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="write the report in this format to this file as well; may be repeated",
    )


_BUILD = """\
Makes a database with production's schema, row counts and distributions, from the profile alone: no row leaves
production, and production is not asked. Without --to, on a server of its own that is kept for the next run.
A target must be empty, or a mirror that premortem began there; production and its replicas are refused.
"""


def _mirror(commands: _Commands) -> None:
    about = "build and verify a database with production's size and distribution, for measuring"
    parser = commands.add_parser("mirror", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    build = _command(verbs, "build", "mirror_build", "make the mirror of a profile", _BUILD)
    _mirrored(build)
    build.add_argument(
        "--workers", type=_count, metavar="N", help="load with so many processes (default: as many as there are cores)"
    )
    build.add_argument("--dask", metavar="ADDRESS", help="load with the workers of this Dask scheduler instead")
    build.add_argument("--resume", action="store_true", help="go on with a mirror that was not finished")
    build.add_argument(
        "--pin-statistics",
        action="store_true",
        help="give it production's own statistics in place of those that ANALYZE gathers there, so that it plans as"
        " production did; for a mirror of full size, by a superuser",
    )
    _mirror_verify(verbs)
    run = _command(verbs, "run", "mirror_run", "run a command with a kept mirror's server behind it", _RUN)
    run.usage = "premortem mirror run [options] -- COMMAND [ARGUMENT ...]"
    run.add_argument("-p", "--profile", type=Path, required=True, metavar="FILE", help="production's profile")
    run.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    _command(verbs, "list", "mirror_list", "list the mirrors that are kept on servers of their own")
    remove = _command(verbs, "remove", "mirror_remove", "remove kept mirrors, with their rows")
    remove.add_argument("names", nargs="*", metavar="NAME", help="as mirror list shows it")
    remove.add_argument("--all", action="store_true", help="remove all of them")


_RUN = """\
Starts the server of the newest kept mirror of a profile, runs a command, and stops the server. The command finds it by
DATABASE_URL and by libpq's PG* variables; the exit code is the command's own.
"""

_VERIFY = """\
Runs ANALYZE in a mirror and compares its statistics with production's, column by column, and the plans of
production's workload, or of the queries of the paths, with those that production would make. Exit code 1: they are
further apart than they may be.
"""


def _mirror_verify(verbs: _Commands) -> None:
    parser = _command(verbs, "verify", "mirror_verify", "say how near a mirror is to production", _VERIFY)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="queries to plan (default: production's workload)")
    parser.add_argument("-p", "--profile", type=Path, required=True, metavar="FILE", help="production's profile")
    parser.add_argument("--to", metavar="DSN", help="where the mirror is (default: the newest that is kept)")
    parser.add_argument("--no-analyze", action="store_true", help="compare the statistics that are there")
    parser.add_argument("--all", action="store_true", help="show every column, and not just those that are off")
    parser.add_argument("--min-columns", type=_share, metavar="X", help="share of columns within limits (default: 0.9)")
    parser.add_argument("--min-shapes", type=_share, metavar="X", help="share of plans alike in shape (default: 0.95)")
    parser.add_argument("--max-median", type=_amount, metavar="Q", help="median q-error of node rows (default: 1.3)")
    parser.add_argument("--max-p95", type=_amount, metavar="Q", help="its 95th percentile (default: 4)")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="write it there (default: -)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")


def _mirrored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--profile", type=Path, required=True, metavar="FILE", help="production's profile")
    parser.add_argument("--to", metavar="DSN", help="the database (default: one on a kept server of its own)")
    parser.add_argument(
        "--for",
        action="append",
        default=[],
        dest="wanted_by",
        metavar="PATH",
        help="give rows only to the tables that these queries touch; may be repeated",
    )
    parser.add_argument("--rows", type=_amount, metavar="N", help="at most so many rows in all, such as 5e6")
    parser.add_argument(
        "--scale", type=_amount, default=1.0, metavar="X", help="multiply every table's rows (default: 1)"
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="other rows alike (default: 0)")
    parser.add_argument(
        "--shift-to", metavar="MOMENT", help="move timestamps so that the profile's moment becomes now, or this one"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")


_INIT_ABOUT = """\
Reads what a repository says of its queries, migrations, tests and CI, says what it found and what it assumed, and
writes premortem.toml, a CI job and a pre-commit hook. What is there already is kept, and what to add to it is printed.
"""


def _init(commands: _Commands) -> None:
    parser = _command(commands, "init", "init", "write settings, a CI job and a hook for this repository", _INIT_ABOUT)
    parser.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="in the repository (default: here)")
    parser.add_argument("--ci", choices=("github", "gitlab"), help="default: by the remote and the CI files")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("--dry-run", action="store_true", help="print the files and write nothing")


_COMMENT_ABOUT = """\
Posts the Markdown report as one comment of the pull or merge request, and updates that comment from then on. Where to
is read from the job's variables. Tokens: GITHUB_TOKEN, or PREMORTEM_GITLAB_TOKEN with the api scope.
"""


def _comment(commands: _Commands) -> None:
    about = "post the Markdown report to the pull or merge request, and keep it up to date"
    parser = _command(commands, "comment", "comment", about, _COMMENT_ABOUT)
    parser.add_argument("report", metavar="REPORT", help="the report that check wrote as Markdown, or -")
    parser.add_argument("--to", choices=("github", "gitlab"), help="default: whose job this is")
    parser.add_argument(
        "--pr", type=_number, dest="number", metavar="N", help="the pull or merge request (default: that of the job)"
    )
    parser.add_argument(
        "--id",
        metavar="NAME",
        help="tells apart several comments of one request (default: the workflow's and job's name)",
    )
    parser.add_argument(
        "--verdict",
        type=_exit_code,
        metavar="CODE",
        help="end with this exit code, that of check, whether or not the comment could be posted",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be posted where, and send nothing")


_WATCH_ABOUT = """\
Watches the servers that premortem.toml names, and tells its channels what hurts, why, and what to type.
"""


_DIAGNOSE_ABOUT = """\
Looks at a running server for a second, and says what hurts now, why, and what to type. It needs no daemon and no
preparation: a role with pg_monitor, and pg_stat_statements for averages. It reads only, and plans without executing.
Ends with 0 where nothing hurts, 1 where something does, 3 where that could not be told.
"""


def _diagnose(commands: _Commands) -> None:
    parser = _command(commands, "diagnose", "diagnose", "say what hurts on a server now, and why", _DIAGNOSE_ABOUT)
    parser.add_argument("dsn", metavar="DSN", help="the server, or the name of an instance of the settings")
    parser.add_argument(
        "--seconds", type=_seconds, default=1.0, metavar="N", help="how long to look (default: %(default)s)"
    )
    parser.add_argument(
        "-n", "--limit", type=_count, default=3, metavar="N", help="find the causes of so many (default: %(default)s)"
    )
    parser.add_argument(
        "--budget",
        type=_seconds,
        metavar="N",
        help="how many seconds all of it may take; what is not reached is said (default: 4, and up to 10 more for the"
        " worst cause on a machine that is starved)",
    )
    parser.add_argument(
        "--watch", type=_seconds, nargs="?", const=2.0, metavar="N", help="look again after N seconds (default: 2)"
    )
    parser.add_argument(
        "-f", "--format", choices=("terminal", "json", "markdown"), default="terminal", help="default: %(default)s"
    )
    parser.add_argument(
        "--show-values",
        action="store_true",
        help="show what sessions run as they sent it, with the values in it",
    )
    parser.add_argument(
        "--deploys", type=Path, metavar="FILE", help="what was shipped, as `premortem deploy list -f json` writes it"
    )
    parser.add_argument(
        "--pooler", action="append", metavar="DSN", help="the admin console of a PgBouncer; may be repeated"
    )
    _watch_settings(parser, None)


def _watch(commands: _Commands) -> None:
    about = "watch servers, and tell people what hurts with its cause"
    parser = _command(commands, "watch", "watch", about, _WATCH_ABOUT)
    _watch_settings(parser, None)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--once",
        action="store_true",
        help="watch for one window, tell what hurts, and end: with 1 where something does, 3 where nobody can say",
    )
    how.add_argument(
        "--check",
        action="store_true",
        help="see whether everything that watching needs is there, and tell nobody anything",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb")
    _watch_test_notify(verbs)
    _watch_dead_letters(verbs)


def _watch_settings(parser: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    """Add the option that names the settings; a verb without it has what stands before the verb."""
    parser.add_argument(
        "--settings", type=Path, default=default, metavar="FILE", help="the settings (default: premortem.toml here)"
    )


_TEST_NOTIFY_ABOUT = """\
Sends a marked test to the channels, and its end where something would stay open, and says what each answered. Ends
with 1 where one could not be told.
"""


def _watch_test_notify(verbs: _Commands) -> None:
    about = "send a marked test to the channels, and say what they answer"
    parser = _command(verbs, "test-notify", "watch_test_notify", about, _TEST_NOTIFY_ABOUT)
    parser.add_argument("channel", nargs="*", metavar="CHANNEL", help="the channels to try (default: all of them)")
    _watch_settings(parser)


def _watch_dead_letters(verbs: _Commands) -> None:
    about = "list what could not be delivered and why, and send it again"
    parser = _command(verbs, "dead-letters", "watch_dead_letters", about)
    parser.add_argument("channel", nargs="?", metavar="CHANNEL", help="those of one channel")
    parser.add_argument("--retry", action="store_true", help="let them wait to be sent again, by the watcher")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    _watch_settings(parser)


_HISTORY_ABOUT = """\
Shows what the watcher kept of queries: calls, mean time and connections occupied, step by step, with the deploys and
alerts of the time. QUERY is the beginning of a fingerprint, a table, or a part of the text; without it, the queries
that took the most time are listed.
"""


def _history(commands: _Commands) -> None:
    parser = _command(
        commands, "history", "history", "show a query's last hours, as the watcher saw them", _HISTORY_ABOUT
    )
    parser.add_argument("query", nargs="?", default="", metavar="QUERY", help="a fingerprint, a table, or text")
    parser.add_argument("--instance", metavar="NAME", help="on this instance only")
    parser.add_argument("--database", metavar="NAME", help="in this database only")
    parser.add_argument(
        "--since", type=_ago, default="6h", metavar="AGE", help="from so long ago on, such as 90m, 6h, 7d (default: 6h)"
    )
    parser.add_argument(
        "--until", type=_ago, default="0m", metavar="AGE", help="until so long ago (default: until now)"
    )
    parser.add_argument("--step", type=_ago, metavar="LENGTH", help="one line for so long (default: fits the screen)")
    parser.add_argument("-n", "--limit", type=_count, default=10, metavar="N", help="list so many (default: 10)")
    parser.add_argument("-f", "--format", choices=("terminal", "json"), default="terminal", help="default: %(default)s")
    _store(parser)


def _deploy(commands: _Commands) -> None:
    about = "keep the ledger of deploys, by which an alert names the one that brought a query"
    parser = commands.add_parser("deploy", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    _deploy_record(verbs)
    _deploy_list(verbs)


_DEPLOY_RECORD_ABOUT = """\
Adds a deploy to the ledger. What is not given is read from the variables of the CI job (GitHub, GitLab, Jenkins,
Buildkite, CircleCI, Bitbucket, Azure, Drone), and then from git. The same deploy twice is one.
"""


def _deploy_record(verbs: _Commands) -> None:
    parser = _command(verbs, "record", "deploy_record", "say that a service was deployed", _DEPLOY_RECORD_ABOUT)
    parser.add_argument(
        "--service",
        metavar="NAME",
        help="what was deployed, as [[instances]] names its services (default: the CI job's repository)",
    )
    parser.add_argument("--revision", metavar="SHA", help="the commit, tag or version (default: the CI job's, or HEAD)")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="when, such as 2026-01-31T14:03:00Z (default: now)")
    parser.add_argument("--author", metavar="NAME", help="who (default: the CI job's, or the commit's)")
    parser.add_argument("--url", metavar="URL", help="where to read more (default: the CI job's)")
    parser.add_argument("--says", metavar="TEXT", help="what it was about (default: the commit's first line)")
    parser.add_argument("--environment", metavar="NAME", help="where to, such as production (default: the CI job's)")
    _store(parser)


def _deploy_list(verbs: _Commands) -> None:
    parser = _command(verbs, "list", "deploy_list", "list the deploys of the ledger")
    parser.add_argument("--service", action="append", metavar="NAME", help="of this service; may be repeated")
    parser.add_argument(
        "--since", type=_ago, default="30d", metavar="AGE", help="from so long ago on, such as 7d (default: 30d)"
    )
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    _store(parser)


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="DSN", help="the database of the state (default: what the settings say, or the usual place)"
    )
    _watch_settings(parser, None)


def _rules(commands: _Commands) -> None:
    parser = _command(commands, "rules", "rules", "list the rules, or say what one of them sees")
    parser.add_argument("rule", nargs="?", metavar="RULE", help="the rule to explain")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")


def _doctor(commands: _Commands) -> None:
    _command(commands, "doctor", "doctor", "say which PostgreSQL servers were found here, and what is missing")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999")
    return int(text)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e15:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2027-03-31") from None


def _exit_code(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"{text!r} is no exit code")
    return int(text)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _ago(text: str) -> timedelta:
    amount, unit = text[:-1], text[-1:]
    if not amount.isdecimal() or unit not in _UNITS or int(amount) > 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time such as 90m, 6h or 7d")
    return timedelta(**{_UNITS[unit]: int(amount)})


_SIZE_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def _size(text: str) -> int:
    """Return a size in bytes, with PostgreSQL's units: 1 kB is 1,024 bytes."""
    typed = text.strip().lower().removesuffix("ib").removesuffix("b")
    unit = _SIZE_UNITS.get(typed[-1:])
    try:
        amount = float(typed[:-1] if unit else typed)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e9 or (unit is None and amount):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 500MB or 2GB")
    return round(amount * (unit or 0))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-31T14:03:00Z") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone: add Z or an offset such as +02:00")
    return found


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


#: What every command's module has as `run`.
Command: TypeAlias = Callable[[argparse.Namespace], int]
