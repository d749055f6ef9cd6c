"""The variables that a suite takes its server from, besides DATABASE_URL and PG*, which capture sets unasked."""

from __future__ import annotations

import posixpath
import re

from premortem.repository.seen import Suite
from premortem.repository.tree import Tree

_ASSIGNED = re.compile(
    r"""^\s*(?:-\s*|export\s+)?["']?(?P<name>[A-Z][A-Z0-9_]+)["']?\s*[=:]\s*["']?(?P<value>[^\s"'#]*)""", re.MULTILINE
)
_URL = re.compile(r"(?P<scheme>(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?)://")
_READ = re.compile(
    r"""(?:environ(?:\.get)?[\[(]|getenv\(|\benv(?:\.\w+)?\(|config\()\s*["'](?P<name>[A-Z][A-Z0-9_]+)["']"""
)
_PART = re.compile(r"(?:DB|DATABASE|POSTGRES|POSTGRESQL|PGSQL|SQL)_(?:\w+_)?(?P<part>[A-Z]+)\Z")
_PARTS = {
    "HOST": "{host}", "HOSTNAME": "{host}", "SERVER": "{host}", "PORT": "{port}", "USER": "{user}",
    "USERNAME": "{user}", "PASSWORD": "{password}", "PASS": "{password}", "NAME": "{database}",
    "DATABASE": "{database}", "DB": "{database}",
}  # fmt: skip
_SET_ANYWAY = {"DATABASE_URL"}


def hands(tree: Tree, suite: Suite) -> tuple[tuple[str, str], ...]:
    """Return the variables and their templates that a suite's own files name."""
    found: dict[str, str] = {}
    for path in _sources(tree, suite):
        text = tree.text(path)
        for assigned in _ASSIGNED.finditer(text):
            _take(found, assigned["name"], assigned["value"])
        for read in _READ.finditer(text):
            _take(found, read["name"], "")
    return tuple(sorted(found.items()))


def _sources(tree: Tree, suite: Suite) -> list[str]:
    """Return the files in which suites say so: examples of environments, CI jobs, and Python settings."""
    mine = [f for f in tree.below(suite.folder) if _is_settings(f, suite.language)]
    jobs = [f for f in tree.files if re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml", f)]
    return mine[:40] + jobs[:40]


def _is_settings(path: str, language: str) -> bool:
    name = posixpath.basename(path)
    if re.fullmatch(r"\.env\.(?:example|sample|test|testing|dist|ci|template)|\.env\.test\.example", name):
        return True
    return language == "python" and (name in ("settings.py", "config.py") or "/settings/" in f"/{path}")


def _take(found: dict[str, str], name: str, value: str) -> None:
    url = _URL.match(value)
    if name.startswith("PG") or name == "PREMORTEM_DSN":
        return
    if url and url["scheme"].startswith("jdbc:"):
        found[name] = "jdbc:postgresql://{host}:{port}/{database}?user={user}&password={password}"
    elif url and (name not in _SET_ANYWAY or "+" in url["scheme"]):
        found[name] = url["scheme"] + "://{user}:{password}@{host}:{port}/{database}"
    elif not url and (part := _PART.match(name)) and part["part"] in _PARTS:
        found.setdefault(name, _PARTS[part["part"]])
