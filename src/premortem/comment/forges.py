"""What GitHub and GitLab call the same five things: who am I, list, create, update, delete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from premortem.comment.places import Forge, Target, at
from premortem.comment.wire import Reply, Wire
from premortem.errors import ForgeError, ForgeRefused

_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')
_TOO_LONG = re.compile(r"too long|maximum is|exceeds", re.IGNORECASE)
#: A run is finished long before a request has this many pages of comments.
_MOST_PAGES = 500
_FENCED = re.compile(r" {0,3}(`{3,}|~{3,})")


class TooLong(ForgeError):
    """The comment is longer than the forge takes."""


class Gone(ForgeError):
    """There is no such comment, or request, that this token can see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment as a forge has it; `may_be_ours` is what its author tells."""

    id: int
    body: str
    may_be_ours: bool


class Comments(Protocol):
    """The comments of one pull or merge request."""

    most: int

    def all(self) -> Iterator[Comment]:
        """Yield every comment, over all pages."""
        ...

    def harmless(self, text: str) -> str:
        """Return a text as this forge can take it without doing anything but show it."""
        ...

    def create(self, body: str) -> Comment:
        """Post a comment."""
        ...

    def update(self, id: int, body: str) -> None:
        """Give a comment another text."""
        ...

    def delete(self, id: int) -> None:
        """Take a comment away."""
        ...


def comments_of(target: Target, wire: Wire) -> Comments:
    """Return the comments of a target; looks the pull request up where only its commit is known."""
    if target.forge is Forge.GITLAB:
        return GitLab(wire=wire, root=f"/projects/{quote(target.project, safe='')}/merge_requests/{target.number}")
    root = f"/repos/{quote(target.project)}"
    return GitHub(wire=wire, root=root, number=_number(target, wire, root), token=target.token)


def headers_of(target: Target) -> dict[str, str]:
    """Return the headers that all requests have, the token among them."""
    if target.forge is Forge.GITLAB:
        return {"PRIVATE-TOKEN": target.token, "Accept": "application/json"}
    return {
        "Authorization": f"Bearer {target.token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def _number(target: Target, wire: Wire, root: str) -> int:
    """Return the pull request's number; where a commit is known, it is that commit's or none."""
    if target.head is None:
        assert target.number is not None
        return target.number
    if target.number is not None:
        reply = _good(wire.send("GET", f"{root}/pulls/{target.number}"), target.name)
        found = [reply.content]
    else:
        head = quote(f"{target.head.owner}:{target.head.branch}", safe=":")
        listed = _good(wire.send("GET", f"{root}/pulls?state=open&per_page=100&head={head}"), target.name).content
        found = listed if isinstance(listed, list) else []
    for pull in found:
        number = at(pull, "number")
        if isinstance(number, int) and at(pull, "head", "sha") == target.head.sha:
            return number
    raise ForgeRefused(
        f"no open pull request of {target.project} has the commit {target.head.sha[:12]} as its head",
        hint="a newer commit was pushed, and its own run will comment",
    )


@dataclass(slots=True, kw_only=True)
class GitHub:
    """A pull request's comments: https://docs.github.com/en/rest/issues/comments."""

    wire: Wire
    root: str
    number: int
    token: str
    most: int = 65_536
    _login: str | None = None

    def all(self) -> Iterator[Comment]:
        """Yield every comment, over all pages."""
        me = self._me()
        for item in _pages(self.wire, f"{self.root}/issues/{self.number}/comments?per_page=100", self._name):
            yield self._comment(item, me)

    def harmless(self, text: str) -> str:
        """Return the text: the report has already parted names from their signs."""
        return text

    def create(self, body: str) -> Comment:
        """Post a comment."""
        reply = self.wire.send("POST", f"{self.root}/issues/{self.number}/comments", {"body": body})
        return self._comment(_good(reply, self._name).content, None)

    def update(self, id: int, body: str) -> None:
        """Give a comment another text."""
        _good(self.wire.send("PATCH", f"{self.root}/issues/comments/{id}", {"body": body}), self._name)

    def delete(self, id: int) -> None:
        """Take a comment away."""
        _good(self.wire.send("DELETE", f"{self.root}/issues/comments/{id}"), self._name)

    @property
    def _name(self) -> str:
        return f"{self.root.removeprefix('/repos/')}#{self.number}"

    def _me(self) -> str:
        """Return who the token is, empty where it cannot be asked: an app's token, such as a workflow's, cannot."""
        if self._login is None:
            self._login = ""
            if not self.token.startswith("ghs_"):
                reply = self.wire.send("GET", "/user")
                login = at(reply.content, "login") if reply.status == 200 else None
                self._login = login if isinstance(login, str) else ""
        return self._login

    def _comment(self, item: object, me: str | None) -> Comment:
        """Return a comment; without a name of our own, only what a bot wrote can be ours: people cannot be bots."""
        by = at(item, "user", "login")
        ours = me is None or (by == me if me else at(item, "user", "type") == "Bot")
        return Comment(id=_id(item), body=_body(item), may_be_ours=ours)


@dataclass(slots=True, kw_only=True)
class GitLab:
    """A merge request's notes: https://docs.gitlab.com/api/notes."""

    wire: Wire
    root: str
    most: int = 1_000_000
    _user: object = None

    def all(self) -> Iterator[Comment]:
        """Yield every note, over all pages; those of the system are none."""
        if self._user is None:
            self._user = at(_good(self.wire.send("GET", "/user"), "the token's user").content, "id")
        for item in _pages(self.wire, f"{self.root}/notes?per_page=100&sort=asc&order_by=created_at", self._name):
            if at(item, "system") is not True:
                yield Comment(id=_id(item), body=_body(item), may_be_ours=at(item, "author", "id") == self._user)

    def harmless(self, text: str) -> str:
        """Return the text without quick actions."""
        return _without_orders(text)

    def create(self, body: str) -> Comment:
        """Post a note."""
        reply = _good(self.wire.send("POST", f"{self.root}/notes", {"body": body}), self._name)
        return Comment(id=_id(reply.content), body=_body(reply.content), may_be_ours=True)

    def update(self, id: int, body: str) -> None:
        """Give a note another text."""
        _good(self.wire.send("PUT", f"{self.root}/notes/{id}", {"body": body}), self._name)

    def delete(self, id: int) -> None:
        """Take a note away."""
        _good(self.wire.send("DELETE", f"{self.root}/notes/{id}"), self._name)

    @property
    def _name(self) -> str:
        return self.root.removeprefix("/")


def _without_orders(body: str) -> str:
    r"""Return a note that gives GitLab no orders: a line that begins with a slash is a quick action there.

    >>> print(_without_orders("a\n/merge\n```\n/x\n```"))
    a
    \/merge
    ```
    /x
    ```
    """
    lines, fence = [], ""
    for line in body.split("\n"):
        found = _FENCED.match(line)
        if found:
            fence = "" if fence and found[1].startswith(fence) else fence or found[1]
        lines.append(f"\\{line}" if not fence and line.startswith("/") else line)
    return "\n".join(lines)


def _pages(wire: Wire, first: str, name: str) -> Iterator[object]:
    url: str | None = first
    for _ in range(_MOST_PAGES):
        if url is None:
            return
        reply = _good(wire.send("GET", url), name)
        if not isinstance(reply.content, list):
            raise ForgeError(f"{wire.host} answered with no list of comments")
        yield from reply.content
        url = _next(reply, first)


def _next(reply: Reply, first: str) -> str | None:
    found = _NEXT.search(reply.headers.get("link", ""))
    if found:
        return found[1]
    page = reply.headers.get("x-next-page", "")
    return f"{first}&page={page}" if page.isdecimal() else None


def _good(reply: Reply, name: str) -> Reply:
    """Return an answer that says yes; raise what another one means."""
    if 200 <= reply.status < 300:
        return reply
    says = f": {reply.says}" if reply.says else ""
    if reply.status in (400, 413, 422) and (_TOO_LONG.search(reply.says) or reply.status == 413):
        raise TooLong(f"{name}: the comment is too long{says}", status=reply.status)
    if reply.status == 401:
        raise ForgeRefused(f"{name}: the token is not valid{says}", hint="it may have expired", status=401)
    if reply.status == 403:
        raise ForgeRefused(f"{name}: the token may not do that{says}", hint=FORBIDDEN, status=403)
    if reply.status in (404, 410):
        hint = "is the number right, and may the token see the project?"
        raise Gone(f"{name} is not there, or not for this token{says}", hint=hint, status=reply.status)
    raise ForgeError(f"{name}: answered {reply.status}{says}", status=reply.status)


#: The usual reasons, for which a person has to change something.
FORBIDDEN = (
    "on GitHub give the job `permissions: pull-requests: write`; for a fork's pull request the token can only read: "
    "comment from a workflow_run (docs/how-to/ci.md). On GitLab the token needs the api scope"
)


def _id(item: object) -> int:
    found = at(item, "id")
    if not isinstance(found, int):
        raise ForgeError("the API answered with a comment that has no id")
    return found


def _body(item: object) -> str:
    found = at(item, "body")
    return found if isinstance(found, str) else ""
