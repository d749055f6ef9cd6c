# The chores, each one line; `just --list` shows them.

# everything that CI runs
ci:
    .ci/run

# the tests; arguments go to pytest
test *arguments:
    scripts/test {{arguments}}

# tests on live PostgreSQL servers, no version missing
live *arguments:
    scripts/test --require-pg {{arguments}}

# style, types, imports, generated docs
lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/mypy
    .venv/bin/lint-imports
    .venv/bin/python scripts/docs --check

# write the generated pages anew
docs:
    .venv/bin/python scripts/docs --write

# record the golden reports anew; read the diff before you commit it
record:
    RECORD=1 scripts/test tests/report
