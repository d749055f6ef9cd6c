"""The jobs for GitLab CI, in a file of their own that .gitlab-ci.yml includes."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.repository.commands import PROFILE, capture, check, install, lines, requirement
from premortem.repository.programs import written
from premortem.repository.seen import Seen

PATH = ".gitlab/premortem.yml"
MAIN = ".gitlab-ci.yml"
_BASE = '"$CI_MERGE_REQUEST_DIFF_BASE_SHA"'
INCLUDE = f"include:\n  - local: {PATH}\n"

_JOBS = """\
# Checks the queries of a merge request with production's profile.  Written by `premortem init`; yours to change.
#
# Before the first run
#   1. Add the variable PREMORTEM_DSN, masked and protected: production or a replica, with a role that
#      `premortem profile grants` made; and a pipeline schedule on the default branch, run once by hand.
#   2. Add the variable PREMORTEM_GITLAB_TOKEN, masked: a project access token, role Reporter, scope api.  A job's own
#      token may not write comments.
#
# The profile tells tables, sizes and statistics of production; `access: developer` keeps it from guests.

premortem profile:
  image: python:3.12
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - python -m pip install "@REQUIREMENT@"
    - premortem profile pull "$PREMORTEM_DSN" -o @PROFILE@
  artifacts:
    access: developer
    paths:
      - @PROFILE@
    expire_in: 1 week

premortem:
  image: @IMAGE@
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  timeout: 30 minutes
  interruptible: true
  variables:
    GIT_DEPTH: "0" # the branch that the change goes to is compared with
    PREMORTEM_CACHE_DIR: $CI_PROJECT_DIR/.premortem
  cache:
    key: premortem
    paths:
      - .premortem
  before_script:
@SETUP@    - |
      curl --fail --silent --show-error --location --header "JOB-TOKEN: $CI_JOB_TOKEN" --output @PROFILE@ \\
        "$CI_API_V4_URL/projects/$CI_PROJECT_ID/jobs/artifacts/$CI_DEFAULT_BRANCH/raw/@PROFILE@?job=premortem%20profile"
  script:
@CAPTURE@    - |
      code=0
      @CHECK@ || code=$?
      premortem comment premortem.md --verdict "$code"
  artifacts:
    when: always
    paths:
      - premortem.html
    reports:
      codequality: premortem-codequality.json
      junit: premortem-junit.xml
"""

_TOOLS = {
    "node": "nodejs npm",
    "go": "golang",
    "ruby": "ruby-full bundler",
    "java": "default-jdk",
    "php": "php composer",
}


def text(seen: Seen) -> str:
    """Return the jobs."""
    saved = (
        "markdown=premortem.md",
        "html=premortem.html",
        "gitlab=premortem-codequality.json",
        "junit=premortem-junit.xml",
    )
    parts = {
        "@SETUP@": "".join(f"    - {c}\n" for c in _setup(seen)),
        "@CAPTURE@": "".join(
            (*(f"    - |\n      {lines(capture(s), ' ' * 8)}\n" for s in seen.suites), *_migrations(seen))
        ),
        "@CHECK@": lines(check(seen, _BASE, *saved), " " * 8),
        "@IMAGE@": "python:3.12",
        "@REQUIREMENT@": requirement(),
        "@PROFILE@": PROFILE,
    }
    made = _JOBS
    for name, part in parts.items():
        made = made.replace(name, part)
    return made


def _migrations(seen: Seen) -> Iterator[str]:
    for made in written(seen, _BASE):
        yield "    - |\n" + "".join(f"      {line}\n" for line in made.lines)


def _setup(seen: Seen) -> Iterator[str]:
    tools = " ".join(_TOOLS[s.language] for s in seen.suites if s.language in _TOOLS)
    if tools:
        yield f"apt-get update -q && apt-get install -y -q --no-install-recommends {tools}"
    yield "python -m venv /opt/premortem"  # beside the project's own packages, not among them
    yield '/opt/premortem/bin/pip install "@REQUIREMENT@"'
    yield "ln -s /opt/premortem/bin/premortem /usr/local/bin/premortem"
    for suite in seen.suites:
        yield from install(suite)
