"""The part of the settings' page that is about watching, made from the defaults."""

from __future__ import annotations

import dataclasses

from premortem.settings.watching import LIMITS_SAY, Watching, WatchLimits


def section() -> str:
    """Return the part of the page as Markdown."""
    limits = WatchLimits()
    rows = [
        f"| `{f.name}` | {_shown(getattr(limits, f.name))} | {LIMITS_SAY[f.name]} |" for f in dataclasses.fields(limits)
    ]
    plain = [f"| `{name}` | {_default(name)} | {says} |" for name, says in _OF_WATCH.items()]
    return _SECTION.format(limits="\n".join(rows), plain="\n".join(plain))


def _default(name: str) -> str:
    value = getattr(Watching(), name)
    if isinstance(value, int | float):
        return _shown(value)
    return f'`"{value}"`' if isinstance(value, str) and value else ""


def _shown(value: float) -> str:
    return f"{value:_}" if isinstance(value, int) else f"{value:_g}" if value != int(value) else f"{int(value):_}"


_OF_WATCH = {
    "poll_seconds": "how often each instance is looked at",
    "diagnosis_seconds": "how long a message waits for its diagnosis; a later one follows as its own message",
    "profile_hours": "how often an instance's profile is read again, for its twin",
    "statement_timeout_seconds": "the longest that a statement of ours may take on an instance",
    "store": "the DSN of the database that keeps the state, a secret (below); without it, an embedded server",
    "state_directory": "where the embedded server and the profiles are kept; by default in the user's state folder",
    "retention_days": "how long history is kept as it was read; hourly figures stay",
    "listen": 'the address of `/metrics`, `/healthz`, `/readyz` and `POST /deploys`; `""` for none',
    "deploy_token": "the bearer token of `POST /deploys`, a secret; without it none is taken",
    "link": "an address that messages link to, such as your runbook",
}

_SECTION = """\
## Watching

`premortem watch` reads the sections below; the others leave it alone, but `[[owners]]` of a table own its alerts too.
[Alerts](../how-to/alerts.md) tells what each alert means. The file is read again on SIGHUP; a file with a mistake
changes nothing, and is told.

```toml
[watch]
poll_seconds = 15
store = {{ env = "PREMORTEM_STORE" }}

[watch.limits]
mean_ms = 100
window_seconds = 300

[[watch.overrides]]           # other limits for some statements
tables = ["reports.*"]
mean_ms = 5_000
running_seconds = 600

[[instances]]
name = "orders-db"
dsn = {{ env = "ORDERS_DSN" }}
services = ["shop", "billing"]
owners = ["@acme/orders"]
poolers = [{{ name = "pgbouncer-1", dsn = {{ env = "PGBOUNCER_DSN" }} }}]

[[channels]]
name = "on-call"
kind = "pagerduty"
token = {{ file = "/run/secrets/pagerduty" }}
urgencies = "page"

[[channels]]
name = "team"
kind = "slack"
url = {{ env = "SLACK_WEBHOOK" }}
most_per_hour = 30

[[mutes]]
reason = "the export is rewritten in May (K. L.)"
fingerprints = "1f2e3d4c5b6a7988"
until = 2027-05-31

[[maintenance]]
reason = "weekly reindex"
instances = "orders-db"
days = "sun"
at = "22:00"
lasts = "2h"
```

A **secret** is a text, `{{ env = "NAME" }}` (an environment variable) or `{{ file = "PATH" }}` (the file's content
without the line end). It is never logged or shown.

### `[watch]`

| key | default | meaning |
|---|--:|---|
{plain}

### `[watch.limits]`

| key | default | meaning |
|---|--:|---|
{limits}

### `[[watch.overrides]]`

Any keys of `[watch.limits]` for the statements that all of these admit; each is a text or a list, with `*` for any:
`fingerprints`, `tables` (with or without schema), `services` (the statement's role, the `service` or `application` of
its comment, or a session's application name) and `instances`. Where several entries admit a statement, of each limit
the last one decides, as in the rest of this file. Limits of pools, connections and locks are the instance's: only
entries without `fingerprints`, `tables` and `services` change them.

### `[[instances]]`

| key | meaning |
|---|---|
| `name` | what alerts call it (required) |
| `dsn` | how to connect, a secret (required); to the server itself and not to a pooler |
| `databases` | whose indexes are watched and whose profiles are kept; by default the DSN's |
| `services` | the applications that use it: only their deploys are suspects |
| `owners` | whom to ask |
| `poolers` | PgBouncers in front of it: `name`, and `dsn` of the admin console, a secret |
| `poll_seconds` | as in `[watch]`, for this one |
| `production` | `true`; where it is `false`, nothing pages |
| `log` | the server's log, a path or a glob: cancelled statements are told there only |

### `[[channels]]`

| key | meaning |
|---|---|
| `name` | what it is called (required) |
| `kind` | `slack`, `pagerduty`, `alertmanager`, `webhook` or `apprise` (required) |
| `url` | its address, a secret; PagerDuty has one of its own |
| `token` | PagerDuty's routing key, or what signs a webhook; a secret |
| `urgencies` | `page`, `ticket` or both (the default) |
| `instances` | only of these, with `*` for any |
| `owners` | only what one of these owns |
| `deploys` | `true`: deploys are told as well |
| `most_per_hour` | the most messages in an hour; what was left out is said |
| `timeout_seconds` | how long it may take to answer: 10 |

### `[[mutes]]`

Alerts open and close as ever, and nobody is told. `reason` is required. `until` is a day (it ends with that day, in
UTC) or a moment with its time zone. `fingerprints`, `tables`, `instances` and `kinds` say which alerts, and all of them
have to match; without any, it is every alert.

### `[[maintenance]]`

A time in which nobody is told: `reason` (required), `instances` (by default all), and either `starts` and `ends`, two
moments, or every week `at` (UTC) for `lasts` (`"90m"`, `"2h"`, `"1h 30m"`) on `days` (`mon` … `sun`; by default every
day). It may last past midnight. What is still open when it ends is told then.
"""
