"""The workflow for GitHub Actions: one job that pulls the profile, one that checks a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.repository.commands import PROFILE, capture, check, install, lines, requirement
from premortem.repository.programs import written
from premortem.repository.seen import Seen, Suite

PATH = ".github/workflows/premortem.yml"

_WORKFLOW = """\
# Checks the queries of a pull request with production's profile.  Written by `premortem init`; yours to change.
#
# Before the first run
#   1. Add the secret PREMORTEM_DSN: production or a replica, with a role that `premortem profile grants` made.
#      Better, put it into an environment that only the default branch may use, and name that below.
#   2. Run this workflow once by hand, so that there is a profile.
#
# The profile tells tables, sizes and statistics of production.  As an artifact it can be read by whoever may read
# this repository: for a public one keep it in a private bucket instead (docs/how-to/ci.md).
name: premortem

on:
  pull_request:
  schedule:
    - cron: "23 4 * * *"
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: premortem-${{ github.event.pull_request.number || github.run_id }}
  cancel-in-progress: true

jobs:
  profile:
    if: github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    # environment: production
    steps:
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install premortem
        run: pipx install "@REQUIREMENT@" # beside the project's own packages, not among them
      - name: Pull the profile
        env:
          PREMORTEM_DSN: ${{ secrets.PREMORTEM_DSN }}
        run: premortem profile pull "$PREMORTEM_DSN" -o @PROFILE@
      - uses: actions/upload-artifact@v4
        with:
          name: premortem-profile
          path: @PROFILE@
          if-no-files-found: error
          retention-days: 7

  check:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      actions: read
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0 # the branch that the change goes to is compared with
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
@SETUP@      - name: Install premortem
        run: pipx install "@REQUIREMENT@" # beside the project's own packages, not among them
@POSTGRES@      - name: Restore the profile
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
        run: |
          run=$(gh run list --workflow premortem.yml --status success --limit 100 --json databaseId,event \\
            --jq '[.[] | select(.event != "pull_request")][0].databaseId // empty')
          if [ -z "$run" ]; then
            echo "::error::there is no profile yet; run this workflow once by hand"
            exit 3
          fi
          gh run download "$run" --name premortem-profile
      - uses: actions/cache@v4
        with:
          path: ~/.cache/premortem
          key: premortem-${{ hashFiles('@PROFILE@') }}
@CAPTURE@      - name: Check
        id: check
        env:
          BASE: origin/${{ github.base_ref }}
        run: |
          code=0
          @CHECK@ || code=$?
          echo "code=$code" >> "$GITHUB_OUTPUT"
      - name: Comment
        if: always() && steps.check.outputs.code != ''
        env:
          GITHUB_TOKEN: ${{ github.token }}
          CODE: ${{ steps.check.outputs.code }}
        run: premortem comment premortem.md --verdict "$CODE"
      - uses: actions/upload-artifact@v4
        if: always() && steps.check.outputs.code != ''
        with:
          name: premortem-report
          path: |
            premortem.html
            premortem.md
"""

_SETUPS = {
    "node": ("actions/setup-node@v4", 'node-version: "22"'),
    "go": ("actions/setup-go@v5", "go-version: stable"),
    "ruby": ("ruby/setup-ruby@v1", "bundler-cache: true"),
    "java": ("actions/setup-java@v4", 'distribution: temurin\n          java-version: "21"'),
    "php": ("shivammathur/setup-php@v2", 'php-version: "8.3"'),
    "elixir": ("erlef/setup-beam@v1", 'otp-version: "27"\n          elixir-version: "1.17"'),
}

_POSTGRES = """\
      # Plans are production's to the cent with production's own major version; @MAJOR@ is what the repository names.
      - name: Install PostgreSQL @MAJOR@
        run: |
          sudo apt-get install -y -q postgresql-common
          sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
          sudo apt-get install -y -q --no-install-recommends postgresql-@MAJOR@
"""


def text(seen: Seen) -> str:
    """Return the workflow."""
    saved = ("markdown=premortem.md", "html=premortem.html")
    parts = {
        "@SETUP@": "".join(_setups(seen.suites)),
        "@POSTGRES@": _POSTGRES.replace("@MAJOR@", str(seen.postgres)) if seen.postgres else "",
        "@CAPTURE@": "".join((*_captures(seen.suites), *_migrations(seen))),
        "@CHECK@": lines([*check(seen, '"$BASE"', *saved), "--format github"], " " * 12),
        "@REQUIREMENT@": requirement(),
        "@PROFILE@": PROFILE,
    }
    made = _WORKFLOW
    for name, part in parts.items():
        made = made.replace(name, part)
    return made


def _setups(suites: tuple[Suite, ...]) -> Iterator[str]:
    for suite in suites:
        if suite.language in _SETUPS:
            action, wanted = _SETUPS[suite.language]
            yield f"      - uses: {action}\n        with:\n          {wanted}\n"
    for suite in suites:
        commands = "\n".join(f"          {c}" for c in install(suite))
        if commands:
            yield f"      - name: Set up the {suite.framework} tests\n        run: |\n{commands}\n"


def _migrations(seen: Seen) -> Iterator[str]:
    for made in written(seen, '"$BASE"'):
        script = "".join(f"          {line}\n" for line in made.lines)
        env = "        env:\n          BASE: origin/${{ github.base_ref }}\n"
        yield f"      - name: Write the branch's {made.tool} migrations as SQL\n{env}        run: |\n{script}"


def _captures(suites: tuple[Suite, ...]) -> Iterator[str]:
    for suite in suites:
        command = lines(capture(suite), " " * 12)
        name = f"Run the {suite.framework} tests and keep their queries"
        yield f"      - name: {name}\n        run: |\n          {command}\n"
