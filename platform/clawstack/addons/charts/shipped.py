"""Pinned charts as the builders ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawstack.addons.base.model import Chart
from clawstack.addons.base.pins import pin_of
from clawstack.addons.base.settings import AddonsSettings


def chart_of(settings: AddonsSettings, name: str, namespace: str, values: Mapping[str, Any]) -> Chart:
    """The chart `name` in its pinned version. The release is called as the chart is."""
    pin = pin_of(name, settings.versions)
    return Chart(name=name, chart=name, repo=pin.repo, version=pin.version, namespace=namespace, values=values)


def requests(cpu: str, memory: str) -> dict[str, Any]:
    """Room for a pod: memory is request and limit, CPU only asked for."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
