"""The reference page of the settings, made from the defaults, so that the two cannot differ."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from premortem import advisor, baseline, rules
from premortem.settings.names import OWN_RULES
from premortem.settings.watching_reference import section as _watching


def page() -> str:
    """Return the page as Markdown."""
    rows = [line for rule in rules.RULES for line in _rule_rows(rule)]
    own = ", ".join(f"`{name}`" for name in OWN_RULES)
    changes = [line for rule in rules.MIGRATION_RULES for line in _rule_rows(rule)]
    return _PAGE.format(
        changes="\n".join(changes),
        rows="\n".join(rows),
        advisor=_section(advisor.Limits()),
        baseline=_section(baseline.Limits()),
        own=own,
        watching=_watching(),
    )


def _section(defaults: advisor.Limits | baseline.Limits) -> str:
    """Return what a section without rules is about, and its keys with their defaults."""
    rows = [f"| `{f.name}` | {_shown(getattr(defaults, f.name))} |" for f in dataclasses.fields(defaults)]
    about = " ".join((type(defaults).__doc__ or "").split())
    return "\n".join([about, "", "| key | default |", "|---|--:|", *rows])


def _rule_rows(rule: rules.Rule) -> list[str]:
    defaults = defaults_of(rule)
    fields = dataclasses.fields(defaults)
    limits = "<br>".join(f"`{f.name} = {_shown(getattr(defaults, f.name))}`" for f in fields)
    name = f"`{rule.name}`" if rule.name in rules.MIGRATION_LIMITS else f"[`{rule.name}`](rules/{rule.name}.md)"
    return [f"| {name} | {rule.severity.value} | {limits} |"]


def defaults_of(rule: rules.Rule) -> Any:
    """Return a rule's thresholds as they are without settings: each rule's module has them as `Limits`."""
    if rule.name in rules.MIGRATION_LIMITS:
        return rules.MIGRATION_LIMITS[rule.name]
    return importlib.import_module(f"{rules.__name__}.{rule.name.replace('-', '_')}").Limits()


def _shown(value: float) -> str:
    return f"{value:_}" if isinstance(value, int) or value == int(value) else f"{value}"


_PAGE = """\
# Settings

<!-- made by scripts/docs from the defaults; do not edit -->

`premortem check` and `premortem explain` read `premortem.toml` in the current folder, or the file that `--settings`
names. Everything has a default. A key that premortem does not know is refused by name and line: a setting that is
silently ignored would be worse than none. `premortem init` writes a first one.

```toml
[rules]
deep-offset = "off"           # "error" or "fail", "warning" or "warn", "info", "off"

[rules.seq-scan-discards-rows]
severity = "error"
min_rows = 50_000             # a threshold of that rule

[[paths]]                     # what else holds for the queries of some files
match = "queries/reports/**"
at_most = "warn"              # no finding there counts for more
rules.deep-offset = "info"
rules.unused-allow = {{ severity = "off" }}

[[budgets]]                   # what every query has to keep to
rows_read = 1_000_000

[[budgets]]
query = ["yearly_export", "monthly_export"]
rows_read = 50_000_000

[[budgets]]
table = "public.orders"
rows_read = 10_000

[[budgets]]
path = "queries/checkout/**"
cost = 5_000
ms = 20

[[owners]]
path = "queries/payments/**"
owners = ["@acme/payments"]

[[owners]]
table = ["payments", "billing.*"]
owners = ["@acme/payments", "Kim of billing"]

[advisor]
min_gain = 10                 # how many times cheaper an index has to make the worst parameter set

[baseline]
worse = 3                     # a plan that costs less than three times what it did is no regression

[tables."public.new_table"]
rows = 5_000_000              # what a table without statistics will grow to
```

## `[rules]`

`NAME = "severity"`, or a table `[rules.NAME]` with `severity` and the rule's thresholds. The severity decides what a
finding does: `error` fails the gate, `warning` and `info` do not, `off` takes it out of the report (it stays in the
JSON report, under `suppressed`). `fail` and `warn` are other words for `error` and `warning`: linters have them,
reports say `error` and `warning`. A severity that you set is kept even where premortem would raise it because an index
cures the finding, or lower it because none does.

| rule | severity | thresholds and their defaults |
|---|---|---|
{rows}

Rules of migrations: [check migrations](../how-to/migrations.md) says what each is about.

| rule | severity | thresholds and their defaults |
|---|---|---|
{changes}

check's own findings have a severity and no thresholds: {own}.

## `[[paths]]`

Other settings for the queries of some files.

| key | meaning |
|---|---|
| `match` | which files: a pattern or a list of them (required) |
| `rules` | as `[rules]` above, for these files |
| `at_most` | the most that a finding may count for there: `"warn"` lets nothing fail, `"off"` takes everything out |

Where several entries match a file, the last one decides. A pattern is read as in `.gitignore`, from the current
folder: `*` stays within a folder, `**` does not, `{{a,b}}` is either, a pattern without a slash matches that name in
any folder, and a folder means everything below it. A query that no file holds (standard input, the workload) is
matched by what the report calls its place, so `**` matches it too.

## `[[budgets]]`

What a query may cost. A query over budget is a finding, `over-budget`, an error unless `[rules]` says otherwise; an
allow comment with a reason works as for any rule.

| key | meaning |
|---|---|
| `query` | queries by name (`-- name: x`) or fingerprint, one or a list |
| `path` | queries of these files, patterns as in `[[paths]]` |
| `table` | queries that read these tables; with or without schema, `*` for any |
| `rows_read` | the most rows that one execution may read; with `table`, of that table |
| `cost` | the most that its plan may cost, in the planner's units |
| `ms` | the longest that one execution may take, in milliseconds |

An entry without `query`, `path` and `table` is for every query; with several of them all have to match. For each
measure the last entry that matches decides, so exceptions come after the general budget; a budget of a table stands
beside it. Rows and cost are the planner's estimates, for the parameter set for which they are highest.

**What `ms` can know.** No row of production is here to measure. Where production has run the very query, its mean time
in the profile's workload is compared. For any query, a time is predicted from the plan's cost: the workload's own
statements tell how many milliseconds a unit of cost took there. That ratio differs between statements, so premortem
takes its spread, from the 10th to the 90th percentile: over budget at the low end is an error, over budget at the
median only is a warning, and each says the range. With fewer than 10 statements to learn from, or a spread of more
than a factor 100, nothing is predicted, and the report says so as a gap. How far that is off: on a small shop in
memory, with each of 20 statements predicted from the others, 15 took a time within the range, and the prediction was
off by a factor of 1.8 for the middle one and 6.6 for the worst (`bench/speed/run.py`). Use `rows_read` where you can.

## `[[owners]]`

Whom to ask: `owners` (a name or a list) for a `path` or a `table`, patterns as above. For a file the last entry that
matches counts, as in CODEOWNERS, and so for each table that the query reads. Owners are named in the report beside
the query.

## `[advisor]`

{advisor}

## `[baseline]`

[Judge only what is new](../how-to/baseline.md) tells how it is used. {baseline}

## `[tables."NAME"]`

`rows`: how many rows a table is taken to have that has no statistics in production, such as one that the change's
migrations create. Without it premortem assumes a number and says so in a gap. `NAME` is the table as SQL writes it,
with its schema unless that is on the search path.

{watching}"""
