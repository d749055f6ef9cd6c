"""What happens to a plan between the server and whoever pastes it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

Damage = Callable[[str], str]


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def psql(text: str) -> str:
    width, count = _widest(text), len(text.splitlines())
    body = "\n".join(f" {line}" for line in text.splitlines())
    header = f"{'QUERY PLAN'.center(width)}\n{'-' * (width + 2)}"
    return f"shop=# explain analyze\nshop-# select 1;\n{header}\n{body}\n({count} rows)\n\nTime: 3.2 ms\nshop=# \n"


def bordered(text: str) -> str:
    width = _widest(text)
    ruler = f"+{'-' * (width + 2)}+"
    body = "\n".join(f"| {line.ljust(width)} |" for line in text.splitlines())
    return f"{ruler}\n|{'QUERY PLAN'.center(width + 2)}|\n{ruler}\n{body}\n{ruler}\n(9 rows)\n"


def expanded(text: str) -> str:
    lines = enumerate(text.splitlines(), 1)
    return "".join(f"-[ RECORD {n} ]{'-' * 40}\nQUERY PLAN | {line}\n" for n, line in lines)


def tabs(text: str) -> str:
    return re.sub(r"^((?: {8})+)", lambda m: "\t" * (len(m[1]) // 8), text, flags=re.MULTILINE)


def psql_wrapped(text: str) -> str:
    found = []
    for line in text.splitlines():
        pieces = [line[at : at + 76] for at in range(0, len(line), 76)]
        last = len(pieces) - 1
        found += [f"{'.' if n else ' '}{piece}{'.' if n < last else ''}" for n, piece in enumerate(pieces)]
    return "\n".join(found)


def hard_wrapped(text: str) -> str:
    return "\n".join(line[at : at + 80] for line in text.splitlines() for at in range(0, len(line), 80))


def word_wrapped(text: str) -> str:
    found = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        width = max(78 - indent, 30)
        pieces = textwrap.wrap(line.strip(), width, break_long_words=False, break_on_hyphens=False)
        found += [" " * indent + pieces[0], *pieces[1:]] if pieces else [""]
    return "\n".join(found)


def spreadsheet(text: str) -> str:
    quoted = ('"' + line.replace('"', '""') + '"' for line in text.splitlines())
    return '"QUERY PLAN"\n' + "\n".join(quoted)


def auto_explain(text: str) -> str:
    stamp = "2026-01-02 03:04:05.678 UTC [42] app@shop LOG:  "
    body = textwrap.indent(text, "\t")
    return f"{stamp}duration: 12.3 ms  plan:\n\tQuery Text: select 1\n{body}{stamp}disconnection: user=app\n"


def syslog(text: str) -> str:
    stamp = "Jan  2 03:04:05 db1 postgres[42]: "
    lines = "\n".join(f"{stamp}[5-{n}] #011{line}" for n, line in enumerate(text.splitlines(), 3))
    return f"{stamp}[5-1] LOG:  duration: 1.3 ms  plan:\n{stamp}[5-2] #011Query Text: select 1\n{lines}\n"


def web_page(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _each(change: Callable[[str], str]) -> Damage:
    return lambda text: "\n".join(map(change, text.splitlines()))


#: Damages after which the plan is the same to the last figure.
HARMLESS: dict[str, Damage] = {
    "psql": psql,
    "psql with a border": bordered,
    "psql, expanded": expanded,
    "tabs": tabs,
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "halved indentation": _each(lambda line: " " * ((len(line) - len(line.lstrip())) // 2) + line.lstrip()),
    "fence": lambda text: f"Hi, look:\n\n```\n{text}```\nthanks!\n",
    "Jira": lambda text: f"{{noformat}}\n{text}{{noformat}}\n",
    "quoted mail": lambda text: textwrap.indent(text, "> ", lambda _: True),
    "no-break spaces": lambda text: text.replace("  ", "\u00a0 "),
    "word processor": lambda text: text.replace("'", "’"),
    "spreadsheet": spreadsheet,
    "auto_explain": auto_explain,
    "syslog": syslog,
    "docker": _each(lambda line: f"shop-db-1  | {line}"),
    "web page": web_page,
    "colours": _each(lambda line: f"\x1b[1m{line}\x1b[0m"),
    "arrows": _each(lambda line: re.sub(r"^( *)->", r"\1→", line)),
    "another plan after it": lambda text: f"{text}\n{text}",
}
#: Damages that lose something: which node is what and how many rows it had is still the same.
LOSSY: dict[str, Damage] = {
    "no indentation": _each(str.lstrip),
    "one blank for many": _each(lambda line: re.sub(r" +", " ", line)),
    "psql, wrapped": psql_wrapped,
    "broken at 80 columns": hard_wrapped,
    "broken between words": word_wrapped,
}
