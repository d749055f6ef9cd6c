"""One comment, whatever happens: against a stand-in that speaks HTTP and can be made to misbehave."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from premortem import comment
from premortem.comment.wire import Patience
from premortem.errors import ForgeError, ForgeRefused, UsageError
from tests.comment.forge import TOKEN, Api, Fault, running

PATIENCE = Patience(tries=4, first=0.01, longest=2.0, connect=60.0, read=60.0)
HASTY = replace(PATIENCE, read=2.0)  # for a forge that keeps silent; what it does say must be in time all the same
SILENCE = 30.0
TEXT = "## ❌ premortem: 1 query fails\n\nbecause\n"


@pytest.fixture
def api() -> Iterator[Api]:
    with running() as started:
        yield started


def github(api: Api, run: int = 100, **more: str) -> dict[str, str]:
    return {
        "GITHUB_API_URL": api.url,
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": str(run),
        "GITHUB_WORKFLOW": "CI",
        "GITHUB_JOB": "premortem",
        "GITHUB_TOKEN": TOKEN,
        **more,
    }


def gitlab(api: Api, **more: str) -> dict[str, str]:
    return {
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_JOB_NAME": "premortem 1/3",
        "CI_PIPELINE_ID": "100",
        "PREMORTEM_GITLAB_TOKEN": "glpat-secret",
        **more,
    }


def post(
    environment: dict[str, str], text: str = TEXT, event: object = None, patience: Patience = PATIENCE, **more: object
) -> comment.Outcome:
    target = comment.target(environment, event, **more)  # type: ignore[arg-type]
    return comment.post(comment.open_forge(target, patience), target.mark, text)


@pytest.mark.parametrize("forge", [github, gitlab])
def test_a_comment_is_posted_updated_and_left_alone(api: Api, forge: object) -> None:
    environment = forge(api)  # type: ignore[operator]
    api.add("a person's comment", by="kim")
    assert post(environment) == "created"
    assert post(environment) == "unchanged"
    assert post(environment, "## ✅ other\n") == "updated"
    assert [b.split("\n", 1)[1] for b in api.bodies()[1:]] == ["## ✅ other\n"]
    assert api.bodies()[0] == "a person's comment"
    assert api.wrote() == ["POST", "PATCH" if forge is github else "PUT"]


def test_its_own_comment_is_found_on_the_last_page(api: Api) -> None:
    for number in range(250):
        api.add(f"comment {number}", by="kim")
    assert post(github(api)) == "created"
    for number in range(60):
        api.add(f"more {number}", by="kim")
    assert post(github(api)) == "unchanged"
    api.page = 7
    assert post(github(api), "new") == "updated"
    assert sum("premortem:comment" in b for b in api.bodies()) == 1


def test_gitlab_counts_pages_too(api: Api) -> None:
    api.page = 7
    for number in range(30):
        api.add(f"comment {number}", by="kim")
    assert post(gitlab(api)) == "created"
    assert post(gitlab(api)) == "unchanged"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate that nobody has signed, with its key."""
    path = str(tmp_path_factory.mktemp("tls") / "own.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", path + ".key", "-out", path], check=True, capture_output=True)
    with open(path, "a", encoding="ascii") as file, open(path + ".key", encoding="ascii") as key:
        file.write(key.read())
    return path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_a_certificate_of_ones_own_is_told_and_can_be_trusted(certificate: str) -> None:
    with running(certificate) as api:
        with pytest.raises(ForgeError, match=r"127\.0\.0\.1: no secure connection: .*certificate") as caught:
            post(github(api))
        assert "SSL_CERT_FILE" in (caught.value.hint or "")
        assert api.asked == []
        assert post(github(api, SSL_CERT_FILE=certificate)) == "created"
        assert post(gitlab(api, CI_SERVER_TLS_CA_FILE=certificate)) == "created"
        with pytest.raises(UsageError, match="cannot be read"):
            post(github(api, SSL_CERT_FILE="/nowhere.pem"))


@pytest.mark.parametrize("forge", [github, gitlab])
def test_of_several_the_latest_runs_is_kept(api: Api, forge: object) -> None:
    environment = forge(api)  # type: ignore[operator]
    mark = comment.target(environment).mark
    for run in (3, 9, 9, 5):
        api.add(replace(mark, run=run).on(f"of {run}"))
    kept = api.notes[1].id
    assert post(environment) == "updated"
    assert [n.id for n in api.notes] == [kept]
    assert api.bodies() == [mark.on(TEXT)]


def test_an_old_run_that_ends_late_leaves_the_newer_ones_comment(api: Api) -> None:
    assert post(github(api, run=12), "of 12") == "created"
    assert post(github(api, run=11), "of 11") == "left to a later run"
    assert api.bodies()[0].endswith("of 12")


def test_other_peoples_comments_are_never_touched(api: Api) -> None:
    mark = comment.target(github(api)).mark
    api.add(mark.on("copied by somebody"), by="mallory")
    api.add("> " + mark.on("quoted"))
    api.add("see below\n" + mark.on("pasted"))
    api.add(replace(mark, id="CI/other").on("of another job"))
    before = api.bodies()
    assert post(github(api)) == "created"
    assert api.bodies()[:4] == before
    assert "DELETE" not in api.wrote()


def test_a_token_of_a_person_knows_its_own_comments(api: Api) -> None:
    api.me = "kim"
    environment = github(api, GITHUB_TOKEN="ghp_personal")
    api.add(comment.target(environment).mark.on("a bot's"), by="github-actions[bot]")
    assert post(environment) == "created"
    assert post(environment, "two") == "updated"
    assert [n.by for n in api.notes] == ["github-actions[bot]", "kim"]


def test_jobs_at_the_same_time_leave_one_comment(api: Api) -> None:
    for _ in range(5):
        api.notes.clear()
        together = threading.Barrier(4)
        first = threading.local()

        def wait(together: threading.Barrier = together, first: threading.local = first) -> None:
            if len(api.notes) == 0 and not getattr(first, "waited", False):
                first.waited = True
                together.wait(timeout=60)

        api.before_write = wait  # nobody posts before all have seen that there is no comment
        jobs = [threading.Thread(target=post, args=(github(api, run=run), f"of {run}")) for run in (100, 101, 102, 103)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join(timeout=90)
        assert len(api.notes) == 1
        assert api.bodies()[0].endswith("of 103")


def test_a_post_that_was_carried_out_but_not_answered_is_not_repeated(api: Api) -> None:
    api.faults += [Fault(method="POST", acts=True, silence=SILENCE)]
    assert post(github(api), patience=HASTY) == "created"
    assert len(api.notes) == 1
    assert api.wrote() == ["POST"]


def test_a_post_that_failed_half_way_is_repeated_when_nothing_is_there(api: Api) -> None:
    api.faults += [Fault(method="POST", status=502), Fault(method="POST", status=504, acts=True)]
    assert post(github(api)) == "created"
    assert len(api.notes) == 1


def test_an_api_that_never_answers_is_told(api: Api) -> None:
    api.faults += [Fault(method="GET", silence=SILENCE) for _ in range(4)]
    with pytest.raises(ForgeError, match=r"127\.0\.0\.1 does not answer"):
        post(github(api), patience=replace(HASTY, read=0.5))


def test_nobody_there(api: Api) -> None:
    environment = github(api, GITHUB_API_URL="http://127.0.0.1:9")
    with pytest.raises(ForgeError, match="does not answer") as caught:
        post(environment)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST", status=429, headers={"Retry-After": "0"}),
        Fault(method="POST", status=403, headers={"Retry-After": "0"}, content={"message": "secondary rate limit"}),
        Fault(method="POST", status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
        Fault(method="GET", status=500),
        Fault(method="GET", status=503, headers={"Retry-After": "0"}),
        Fault(method="GET", silence=SILENCE),
    ],
)
def test_what_passes_is_waited_for(api: Api, fault: Fault) -> None:
    api.faults += [fault]
    assert post(github(api), patience=HASTY if fault.silence else PATIENCE) == "created"
    assert len(api.notes) == 1


def test_a_wait_that_is_too_long_is_not_waited(api: Api) -> None:
    api.faults += [Fault(method="POST", status=403, headers={"Retry-After": "3600"})]
    with pytest.raises(ForgeRefused, match="asks to wait 3,600 s"):
        post(github(api))


def test_a_token_that_can_only_read_says_what_to_do(api: Api) -> None:
    api.writable = False
    with pytest.raises(ForgeRefused, match="acme/shop#7: the token may not do that") as caught:
        post(github(api))
    assert "workflow_run" in (caught.value.hint or "")
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert api.wrote() == ["POST"]


def test_a_token_that_can_only_read_does_not_break_what_is_there(api: Api) -> None:
    assert post(github(api)) == "created"
    api.writable = False
    with pytest.raises(ForgeRefused):
        post(github(api), "other")
    assert len(api.notes) == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(method="GET", status=401, content={"message": "Bad credentials"}), "the token is not valid: Bad cred"),
        (Fault(method="GET", status=404, content={"message": "Not Found"}), "is not there, or not for this token"),
        (Fault(method="GET", status=200, content=b"<html>sign in</html>"), "something that is no JSON"),
        (Fault(method="GET", status=200, content={"message": "hello"}), "no list of comments"),
        (Fault(method="GET", status=418, content=b"<html>"), "answered 418"),
        (Fault(method="POST", status=422, content={"message": "Validation Failed"}), "answered 422: Validation"),
        (Fault(method="GET", status=302, headers={"Location": "https://evil.example/x"}), "points to another host"),
        (Fault(method="GET", status=301), "without saying where to"),
    ],
)
def test_refusals_are_told(api: Api, fault: Fault, says: str) -> None:
    api.faults += [fault]
    with pytest.raises(ForgeError, match=says):
        post(github(api))
    assert api.notes == []


def test_a_project_that_moved_is_followed_on_the_same_host_only(api: Api) -> None:
    moved = f"{api.url}/repos/acme/shop/issues/7/comments"
    api.faults += [Fault(method="GET", status=301, headers={"Location": moved})]
    api.faults += [Fault(method="POST", status=307, headers={"Location": "/repos/acme/shop/issues/7/comments"})]
    assert post(github(api)) == "created"
    assert set(api.authorised) == {f"Bearer {TOKEN}"}


def test_a_next_page_on_another_host_does_not_get_the_token(api: Api) -> None:
    link = {"Link": '<https://evil.example/x?page=2>; rel="next"'}
    api.faults += [Fault(method="GET", status=200, content=[], headers=link)]
    with pytest.raises(ForgeError, match=r"points to another host, evil\.example"):
        post(github(api))


def test_a_report_that_is_too_long_is_cut(api: Api) -> None:
    sections = "".join(f"### ❌ `q{n}.sql`\n\n```sql\n{'select 1;' * 50}\n```\n" for n in range(400))
    assert post(github(api), "## premortem\n" + sections) == "created"
    body = api.bodies()[0]
    assert len(body) <= 65_536
    assert body.count("```") % 2 == 0
    assert "more characters do not fit here" in body
    assert post(github(api), "## premortem\n" + sections) == "unchanged"


def test_a_forge_with_a_lower_limit_gets_less(api: Api) -> None:
    api.most = 8_000
    assert post(github(api), "line of text\n" * 10_000) == "created"
    assert len(api.bodies()[0]) <= 8_000
    api.most = 10
    with pytest.raises(ForgeError, match="too long however short"):
        post(github(api), "another line\n" * 10_000)


def test_gitlab_is_given_no_orders(api: Api) -> None:
    assert post(gitlab(api), "/merge\n\ntext\n```\n/close\n```\n") == "created"
    assert "\n\\/merge\n" in api.bodies()[0]
    assert "\n/close\n" in api.bodies()[0]
    assert post(gitlab(api), "/merge\n\ntext\n```\n/close\n```\n") == "unchanged"


RUN = {"head_branch": "patch", "head_sha": "abc", "head_repository": {"owner": {"login": "kim"}}, "pull_requests": []}


def test_a_workflow_run_finds_the_pull_request_of_its_commit(api: Api) -> None:
    api.pulls = {6: "old", 7: "abc"}
    environment = github(api, GITHUB_REF="refs/heads/main")
    assert post(environment, event={"workflow_run": RUN}) == "created"
    assert post(environment, event={"workflow_run": RUN}, number=7) == "unchanged"
    with pytest.raises(ForgeRefused, match="has the commit"):
        post(environment, event={"workflow_run": {**RUN, "head_sha": "forged"}}, number=7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_TOKEN": "a\nb"}, "GITHUB_TOKEN holds characters"),
        ({"GITHUB_REF": "refs/heads/main"}, "belongs to no pull request"),
        ({"GITHUB_REPOSITORY": ""}, "no job of GitHub Actions or GitLab CI"),
        ({"GITHUB_API_URL": "https://me:pw@host"}, "GITHUB_API_URL is no http"),
    ],
)
def test_what_is_missing_is_named(api: Api, change: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        comment.target(github(api) | change)
    assert "a\nb" not in str(caught.value)


def test_a_gitlab_job_token_is_explained(api: Api) -> None:
    with pytest.raises(UsageError, match="PREMORTEM_GITLAB_TOKEN is not set") as caught:
        comment.target(gitlab(api, PREMORTEM_GITLAB_TOKEN="", CI_JOB_TOKEN="x"))
    assert "CI_JOB_TOKEN may not write notes" in (caught.value.hint or "")


def test_the_event_names_the_pull_request(api: Api) -> None:
    environment = github(api, GITHUB_REF="refs/heads/main")
    assert comment.target(environment, {"pull_request": {"number": 5}}).number == 5
    assert comment.target(environment, {"issue": {"number": 6, "pull_request": {}}}).number == 6
    assert comment.target(environment, {"pull_request": {"number": 5}}, number=9).number == 9
    with pytest.raises(UsageError):
        comment.target(environment, {"issue": {"number": 6}})
