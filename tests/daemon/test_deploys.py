"""Deploys are told in the forms that pipelines have already."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.daemon import deploys
from premortem.errors import InputError
from premortem.model import Deploy

NOW = datetime(2026, 1, 31, 14, 3, tzinfo=UTC)


def parsed(told: Any, event: str = "") -> Deploy | deploys.NotShipped:
    return deploys.parse(json.dumps(told).encode(), NOW, event=event)


def deploy(told: Any, event: str = "") -> Deploy:
    found = parsed(told, event)
    assert isinstance(found, Deploy), found
    return found


def test_our_own_form() -> None:
    told = {"service": "shop", "revision": "a7c3dbe", "author": "ann", "at": "2026-01-31T15:00:00+02:00"}
    assert deploy(told) == Deploy(
        service="shop",
        revision="a7c3dbe",
        author="ann",
        source="webhook",
        at=datetime(2026, 1, 31, 13, 0, tzinfo=UTC),
    )
    assert deploy({"service": "shop", "revision": 42}).at == NOW
    assert deploy({"service": "shop", "revision": "x", "at": 1769868000}).at == datetime(2026, 1, 31, 14, tzinfo=UTC)


CHANGE = {
    "routing_key": "k" * 32,
    "payload": {
        "summary": "Build 17: a7c3dbe filters by status",
        "timestamp": "2026-01-31T14:00:00.315+0000",
        "source": "shop",
        "custom_details": {},
    },
    "links": [{"href": "https://ci.example/17", "text": "17"}],
}


def test_a_change_event() -> None:
    found = deploy(CHANGE)
    assert (found.service, found.revision, found.url) == ("shop", "a7c3dbe", "https://ci.example/17")
    assert found.at == datetime(2026, 1, 31, 14, 0, 0, 315000, tzinfo=UTC)
    assert deploys.routing_key(json.dumps(CHANGE).encode()) == "k" * 32
    detailed = CHANGE | {"payload": CHANGE["payload"] | {"custom_details": {"commit": "ffff", "app": "orders"}}}
    assert (deploy(detailed).service, deploy(detailed).revision) == ("orders", "ffff")
    plain = CHANGE | {"payload": {"summary": "new prices", "source": "shop"}}
    assert (deploy(plain).revision, deploy(plain).at) == ("new prices", NOW)


GITHUB = {
    "deployment": {
        "sha": "a7c3dbe0000000000000000000000000000000ab",
        "environment": "production",
        "description": "filter by status",
        "created_at": "2026-01-31T14:00:00Z",
        "creator": {"login": "ann"},
        "payload": {},
    },
    "repository": {"name": "shop", "html_url": "https://github.example/acme/shop"},
}


def test_github() -> None:
    found = deploy(GITHUB, "deployment")
    assert (found.service, found.revision[:7], found.author) == ("shop", "a7c3dbe", "ann")
    assert found.url == f"https://github.example/acme/shop/commit/{found.revision}"
    started = GITHUB | {"deployment_status": {"state": "in_progress", "created_at": "2026-01-31T14:02:00Z"}}
    assert deploy(started, "deployment_status").at == datetime(2026, 1, 31, 14, 2, tzinfo=UTC)
    failed = GITHUB | {"deployment_status": {"state": "failure", "created_at": "2026-01-31T14:02:00Z"}}
    assert isinstance(parsed(failed, "deployment_status"), deploys.NotShipped)
    assert isinstance(parsed({"zen": "…"}, "ping"), deploys.NotShipped)
    assert isinstance(parsed({"ref": "refs/heads/main"}, "push"), deploys.NotShipped)


def test_gitlab() -> None:
    told = {
        "object_kind": "deployment",
        "status": "success",
        "status_changed_at": "2026-01-31 16:00:00 +0200",
        "environment": "production",
        "project": {"name": "shop"},
        "short_sha": "a7c3dbe0",
        "user": {"username": "ann"},
        "commit_url": "https://gitlab.example/acme/shop/-/commit/a7c3dbe0ffff",
        "commit_title": "filter by status",
    }
    found = deploy(told)
    assert (found.service, found.revision, found.at.hour) == ("shop", "a7c3dbe0ffff", 14)
    assert isinstance(parsed(told | {"status": "failed"}), deploys.NotShipped)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ([], "no JSON object"),
        ({"service": "shop"}, "does not say its revision"),
        ({"revision": "x"}, "does not say its service"),
        ({"service": "shop", "revision": "x", "when": 1}, "has no 'when'"),
        ({"service": {"a": 1}, "revision": "x"}, "service is no text"),
        ({"service": "shop", "revision": "x", "at": "2026-01-31T14:00:00"}, "has no time zone"),
        ({"service": "shop", "revision": "x", "at": "yesterday"}, "cannot be read"),
        ({"service": "shop", "revision": "x", "at": 1e300}, "cannot be read"),
        ({"service": "shop", "revision": "x", "at": (NOW + timedelta(hours=1)).isoformat()}, "is in the future"),
    ],
)
def test_a_bad_deploy_is_explained(told: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parsed(told)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
fields = st.sampled_from(
    ["service", "revision", "at", "payload", "deployment", "deployment_status", "repository", "object_kind", "links",
     "status", "custom_details", "summary", "timestamp", "sha", "url", "project"]
)  # fmt: skip


@given(st.recursive(json_values, lambda inner: st.dictionaries(fields, inner, max_size=6), max_leaves=20))
def test_any_payload_is_a_deploy_or_an_explained_refusal(told: Any) -> None:
    try:
        found = parsed(told)
    except InputError:
        return
    if isinstance(found, Deploy):
        assert found.service
        assert found.revision
        assert found.at.tzinfo
        assert "\0" not in found.says


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    assert isinstance(deploys.routing_key(body), str)
