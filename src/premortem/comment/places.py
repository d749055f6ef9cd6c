"""Where the comment goes: read from what a CI job's environment and its event say, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from premortem.comment.marks import Mark, safe_id
from premortem.errors import UsageError

_PULL = re.compile(r"refs/pull/(\d+)/")
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+\Z")
#: GitLab adds ` 2/5` to the names of parallel jobs.
_PARALLEL = re.compile(r" \d+/\d+\Z")


class Forge(StrEnum):
    """Who holds the pull request."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit that a workflow ran for: `owner` and `branch` find its pull request, `sha` proves it."""

    owner: str
    branch: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The pull or merge request to comment, and how to get there.

    `number` is None where it has to be looked up by `head`; with both, the request's head must be that commit.
    """

    forge: Forge
    api: str
    project: str
    number: int | None
    mark: Mark
    token: str = field(repr=False)
    head: Head | None = None
    ca_file: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        sign = "#" if self.forge is Forge.GITHUB else "!"
        return f"{self.project}{sign}{self.number}" if self.number is not None else self.project


def target(
    environment: Mapping[str, str],
    event: object = None,
    *,
    to: Forge | None = None,
    number: int | None = None,
    id: str | None = None,
) -> Target:
    """Return where to comment; `event` is the content of GitHub's event file.

    Raises UsageError that names the variable that is missing.
    """
    forge = to or _forge(environment)
    made = _github if forge is Forge.GITHUB else _gitlab
    return made(environment, event, number, id)


def _forge(environment: Mapping[str, str]) -> Forge:
    if environment.get("GITHUB_REPOSITORY"):
        return Forge.GITHUB
    if environment.get("CI_PROJECT_ID"):
        return Forge.GITLAB
    raise UsageError("this is no job of GitHub Actions or GitLab CI", hint="say --to github or --to gitlab")


def _github(environment: Mapping[str, str], event: object, number: int | None, id: str | None) -> Target:
    head = _head(event)
    found = number or _number_of_event(event) or _number_of_ref(environment.get("GITHUB_REF", ""))
    if found is None and head is None:
        raise UsageError("this run belongs to no pull request", hint="name one with --pr, or run on pull_request")
    job = "/".join(v for k in ("GITHUB_WORKFLOW", "GITHUB_JOB") if (v := environment.get(k)))
    return Target(
        forge=Forge.GITHUB,
        api=_url(environment.get("GITHUB_API_URL") or "https://api.github.com", "GITHUB_API_URL"),
        project=_wanted(environment, "GITHUB_REPOSITORY", "owner/name"),
        number=found,
        mark=Mark(id=safe_id(id or job), run=_run(environment.get("GITHUB_RUN_ID"))),
        token=_token(
            environment, ("GITHUB_TOKEN", "GH_TOKEN"), "give the step `env: GITHUB_TOKEN: ${{ github.token }}`"
        ),
        head=head,
        ca_file=environment.get("SSL_CERT_FILE") or None,
    )


def _gitlab(environment: Mapping[str, str], event: object, number: int | None, id: str | None) -> Target:
    said = environment.get("CI_MERGE_REQUEST_IID", "")
    found = number or (int(said) if said.isdecimal() else None)
    if found is None:
        hint = "name one with --pr, or run in merge request pipelines ($CI_PIPELINE_SOURCE == merge_request_event)"
        raise UsageError("this pipeline belongs to no merge request", hint=hint)
    job = _PARALLEL.sub("", environment.get("CI_JOB_NAME", ""))
    return Target(
        forge=Forge.GITLAB,
        api=_url(environment.get("CI_API_V4_URL") or "https://gitlab.com/api/v4", "CI_API_V4_URL"),
        project=environment.get("CI_MERGE_REQUEST_PROJECT_ID") or _wanted(environment, "CI_PROJECT_ID", "a number"),
        number=found,
        mark=Mark(id=safe_id(id or job), run=_run(environment.get("CI_PIPELINE_ID"))),
        token=_gitlab_token(environment),
        ca_file=environment.get("CI_SERVER_TLS_CA_FILE") or environment.get("SSL_CERT_FILE") or None,
    )


def _gitlab_token(environment: Mapping[str, str]) -> str:
    cure = "a project access token with the api scope and the role Reporter, as a masked variable"
    if environment.get("CI_JOB_TOKEN"):
        cure = f"{cure}; CI_JOB_TOKEN may not write notes"
    return _token(environment, ("PREMORTEM_GITLAB_TOKEN", "GITLAB_TOKEN"), cure)


def _token(environment: Mapping[str, str], names: tuple[str, ...], cure: str) -> str:
    for name in names:
        token = environment.get(name, "").strip()
        if token and not _HEADER_SAFE.match(token):
            raise UsageError(f"{name} holds characters that no token has", hint="set it anew; it may hold a line break")
        if token:
            return token
    raise UsageError(f"{names[0]} is not set", hint=cure)


def _wanted(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise UsageError(f"{name} is not set", hint=f"it is {what}; CI sets it")
    return value


def _url(text: str, name: str) -> str:
    if not re.fullmatch(r"https?://[^/\s@]+(/[^\s@]*)?", text.strip()):
        raise UsageError(f"{name} is no http or https URL without a password in it")
    return text.strip().rstrip("/")


def _run(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _number_of_ref(ref: str) -> int | None:
    found = _PULL.match(ref)
    return int(found[1]) if found else None


def _number_of_event(event: object) -> int | None:
    for path in (("pull_request", "number"), ("workflow_run", "pull_requests", 0, "number")):
        found = at(event, *path)
        if isinstance(found, int):
            return found
    issue = at(event, "issue", "number")
    return issue if isinstance(issue, int) and at(event, "issue", "pull_request") is not None else None


def _head(event: object) -> Head | None:
    """Return the commit of a `workflow_run`, whose number a fork's run could otherwise make up."""
    run = at(event, "workflow_run")
    owner, branch, sha = (
        at(run, *path) for path in (("head_repository", "owner", "login"), ("head_branch",), ("head_sha",))
    )
    if isinstance(owner, str) and isinstance(branch, str) and isinstance(sha, str):
        return Head(owner=owner, branch=branch, sha=sha)
    return None


def at(value: object, *path: str | int) -> object:
    """Return what stands at a path of a JSON value, None where it has no such path.

    >>> at({"a": [{"b": 1}]}, "a", 0, "b"), at({"a": []}, "a", 0), at(None, "a")
    (1, None, None)
    """
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        else:
            return None
    return value
