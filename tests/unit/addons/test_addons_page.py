"""The page about Hetzner says what is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from clawstack.addons import AddonsSettings
from clawstack.addons.base.pins import shipped_pins
from tests.unit.k3s.test_k3s_user_data import CASES, render

PAGE = (Path(__file__).parents[3] / "docs" / "hetzner.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", shipped_pins())
def test_every_version_is_on_the_page(name: str) -> None:
    pin = shipped_pins()[name]
    short = name.removeprefix("kube-") if name not in PAGE else name
    rows = [row for row in ROWS if short in row]
    assert [row for row in rows if pin.version in row], f"{name} {pin.version}"
    assert pin.image is None or pin.image in PAGE


def test_every_switch_is_on_the_page() -> None:
    switches = {to_camel(name) for name in AddonsSettings.model_fields} - {
        "cluster",
        "protection",
        "podNetwork",
        "snapshots",
        "versions",
    }
    assert {row.split("`")[1] for row in ROWS} == switches


def test_the_size_that_the_page_tells_is_right() -> None:
    sizes = [len(render(case)) for case in CASES.values()]
    assert "10 to 15 KB" in PAGE
    assert min(sizes) >= 10_000
    assert max(sizes) <= 15_000
