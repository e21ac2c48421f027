"""The catalogue file as plain data: what the policy pack reads, where every import is paid at each update."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml


def substrates_of_plans() -> tuple[str, ...]:
    """Where some plan lets cells run, in the file's order: a cell can be nowhere else."""
    return tuple(dict.fromkeys(name for plan in read_plan_file()["plans"].values() for name in plan["substrates"]))


def read_plan_file() -> dict[str, Any]:
    """The shipped `plans.yaml`."""
    data: dict[str, Any] = yaml.safe_load(files("clawstack").joinpath("plans.yaml").read_text())
    return data
