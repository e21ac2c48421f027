"""Pages, order and filters of lists. Source: docs.hetzner.cloud, pagination and sorting."""

import math
from collections.abc import Sequence
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import invalid

DEFAULT_PER_PAGE: Final = 25
MAX_PER_PAGE: Final = 50


def page_of(rows: Sequence[Json], *, page: str, per_page: str) -> tuple[list[Json], Json]:
    """Return one page and the `meta` object. Raises invalid_input for numbers below 1; more than 50 become 50."""
    number, size = _number("page", page, 1), min(_number("per_page", per_page, DEFAULT_PER_PAGE), MAX_PER_PAGE)
    last = max(1, math.ceil(len(rows) / size))
    pagination = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(rows),
    }
    return list(rows[(number - 1) * size : number * size]), {"pagination": pagination}


def sorted_rows(rows: Sequence[Json], wishes: Sequence[str], allowed: Sequence[str]) -> list[Json]:
    """Return rows in the wished order, `field` or `field:asc|desc`, the first wish weighing most; by id without one."""
    ordered = sorted(rows, key=lambda row: _rank(row.get("id")))
    for wish in reversed([part for text in wishes for part in text.split(",") if part]):
        field, _, direction = wish.partition(":")
        if field not in allowed or direction not in {"", "asc", "desc"}:
            raise invalid("sort", f"{wish!r} is not one of {', '.join(allowed)} with :asc or :desc")
        ordered.sort(key=lambda row: _rank(row.get(field)), reverse=direction == "desc")
    return ordered


def _rank(value: object) -> tuple[int, float, str]:
    """Make values of several types comparable: nothing first, numbers before texts."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))


def _number(name: str, text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise invalid(name, "must be a whole number of at least 1")
    return int(text)
