"""Reads the application's tables and queries from the file beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

#: A few tenants have most of the rows.
_TENANT = "1 + floor(power(random(), 3) * 120)::int"


@dataclass(frozen=True)
class Shape:
    """A kind of table; every module has one of each."""

    name: str
    size: float
    writes: tuple[float, float, float]
    columns: str
    rows: str
    indexes: tuple[str, ...]
    asks: tuple[tuple[str, float], ...]


def shapes() -> tuple[Shape, ...]:
    text = Path(__file__).with_name("application.yaml").read_text("utf-8")
    return tuple(_shape(one) for one in yaml.safe_load(text))


def _shape(one: dict[str, Any]) -> Shape:
    return Shape(
        name=one["name"],
        size=one["size"],
        writes=(one["writes"][0], one["writes"][1], one["writes"][2]),
        columns=one["columns"],
        rows=one["rows"].replace("{tenant}", _TENANT),
        indexes=tuple(one["indexes"]),
        asks=tuple((asked["text"], asked["often"]) for asked in one["asks"]),
    )
