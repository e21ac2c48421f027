"""A catalogue with one plan more than the shipped one: nothing but its text says that there is such a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest
import yaml

from clawstack import plan_file
from clawstack_policies.hetzner.allowance import types_of_plans
from clawstack_policies.plans import allowed_substrates

ENTRY = """\
  family:
    title: Family
    summary: One assistant for everybody at home.
    prices: {month: 2900, year: 29000}
    monthly_tokens: 30_000_000
    monthly_budget_usd: 15.00
    models: [gpt-5-nano, gpt-5-mini]
    substrates: [namespace, process, server]
    resources: {memory_mb: 3072, cpu: 3.0, disk_mb: 6144, max_processes: 512, max_open_files: 8192}
    server_type: cx53
    priority: 2500
    seats: 6
    assistants: 2
    channels: [telegram, web]
    abilities: [memory, reminders, images]
    kept_backups: 21
    history_days: 120
    support: priority
"""
SHIPPED = files("clawstack").joinpath("plans.yaml").read_text()
TEXT = SHIPPED.replace("plans:\n", f"plans:\n{ENTRY}", 1)


def _read() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(TEXT)
    return data


@contextmanager
def sold(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The platform as it is with this catalogue in the place of the shipped one."""
    memories = (allowed_substrates, types_of_plans)
    with monkeypatch.context() as changed:
        changed.setattr(plan_file, "read_plan_file", _read)
        for memory in memories:
            memory.cache_clear()
        yield
    for memory in memories:
        memory.cache_clear()
