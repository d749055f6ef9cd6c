"""What a CI job and git say of the deploy that runs: whoever records one should have to type its service at most.

Variables by their documentation: GitHub Actions, GitLab CI/CD, Jenkins (and its Git plugin), Buildkite, CircleCI,
Bitbucket Pipelines, Azure Pipelines, Drone and Woodpecker.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

#: By what is wanted, the variables that say it; the first that says anything holds.
_VARIABLES = {
    "service": (
        "GITHUB_REPOSITORY",
        "CI_PROJECT_NAME",
        "BUILDKITE_PIPELINE_SLUG",
        "CIRCLE_PROJECT_REPONAME",
        "BITBUCKET_REPO_SLUG",
        "BUILD_REPOSITORY_NAME",
        "DRONE_REPO_NAME",
        "CI_REPO_NAME",
    ),
    "revision": (
        "GITHUB_SHA",
        "CI_COMMIT_SHA",
        "BUILDKITE_COMMIT",
        "CIRCLE_SHA1",
        "BITBUCKET_COMMIT",
        "BUILD_SOURCEVERSION",
        "DRONE_COMMIT_SHA",
        "GIT_COMMIT",
    ),
    "author": (
        "GITHUB_ACTOR",
        "GITLAB_USER_LOGIN",
        "BUILDKITE_BUILD_CREATOR",
        "CIRCLE_USERNAME",
        "BUILD_REQUESTEDFOR",
        "DRONE_COMMIT_AUTHOR",
        "CI_COMMIT_AUTHOR",
    ),
    "environment": ("CI_ENVIRONMENT_NAME", "BITBUCKET_DEPLOYMENT_ENVIRONMENT", "DRONE_DEPLOY_TO"),
    "says": ("CI_COMMIT_TITLE", "BUILDKITE_MESSAGE", "BUILD_SOURCEVERSIONMESSAGE"),
}
_JOB_PAGES = ("BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL", "DRONE_BUILD_LINK")
_GIT_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What is known of a deploy; empty where nobody says."""

    service: str = ""
    revision: str = ""
    author: str = ""
    environment: str = ""
    says: str = ""
    url: str = ""


def by_job(variables: Mapping[str, str]) -> Shipped:
    """Return what the CI job's variables say.

    >>> by_job({"GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": "a7c3dbe", "GITHUB_SERVER_URL": "https://github.com"}).url
    'https://github.com/acme/shop/commit/a7c3dbe'
    """
    said = {what: _first(variables, names) for what, names in _VARIABLES.items()}
    service = said["service"].rsplit("/", 1)[-1]
    return Shipped(
        **{**said, "service": service, "says": _line(said["says"]), "url": _page(variables, said["revision"])}
    )


def _first(variables: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := variables.get(name, "").strip())), "")


def _page(variables: Mapping[str, str], revision: str) -> str:
    """Return the address of the commit, or of the job where the forge is not known."""
    github, repository = variables.get("GITHUB_SERVER_URL"), variables.get("GITHUB_REPOSITORY")
    if github and repository and revision:
        return f"{github}/{repository}/commit/{revision}"
    if (gitlab := variables.get("CI_PROJECT_URL")) and revision:
        return f"{gitlab}/-/commit/{revision}"
    return _first(variables, _JOB_PAGES)


def by_git(revision: str) -> Shipped:
    """Return what the repository here says of a revision, of HEAD where it is empty; nothing where there is none."""
    said = _git("log", "-1", "--format=%H%x00%an%x00%s", "--end-of-options", revision or "HEAD").split("\0")
    if len(said) != 3:
        return Shipped()
    return Shipped(revision=said[0], author=said[1], says=_line(said[2]))


def _git(*arguments: str) -> str:
    """Return what git says, nothing where it is not there or refuses: then nobody knows, and that is told."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, check=False, timeout=_GIT_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _line(text: str) -> str:
    return text.strip().splitlines()[0].strip() if text.strip() else ""
