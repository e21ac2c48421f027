"""The arithmetic of the table of `bench/provision.py`."""

from __future__ import annotations

from typing import Any

import pytest

from bench._meter import PARTS, Reading
from bench._provision_table import Phase, Report, Rival, growth, percentile, render, scales, with_rivals


def reading(
    *, runs: int = 0, ended: float = 0.0, platform: float = 0.0, peaks: tuple[int, ...] = (), **parts: float
) -> Reading:
    return Reading(
        at=0.0,
        runs=runs,
        by_part={**dict.fromkeys(PARTS, 0.0), **parts},
        ended=ended,
        by_name={"platform": platform},
        peaks=peaks,
        resident={},
        own=0.0,
    )


def phase(**changes: Any) -> Phase:
    before = reading(runs=3, ended=10.0, platform=5.0, cli=4.0, pack=2.0, peaks=(1, 2, 3))
    after = reading(
        runs=13, ended=16.0, platform=9.0, cli=6.0, pack=4.5, peaks=(1, 2, 3, 100_000_000, 300_000_000, 200_000_000)
    )
    fields: dict[str, Any] = {
        "operation": "first provision",
        "cells": 10,
        "count": 5,
        "wall": 12.34,
        "before": before,
        "after": after,
        "seconds": [1.0, 2.0, 3.0, 4.0, 50.0],
    }
    return Phase(**{**fields, **changes})


def test_figures_are_differences_per_operation() -> None:
    found = phase()
    assert found.runs == 2.0
    assert found.cpu("cli") == pytest.approx(0.4)
    assert found.cpu("pack") == pytest.approx(0.5)
    assert found.named_cpu("platform") == pytest.approx(0.8)
    assert found.peaks == (100_000_000, 300_000_000, 200_000_000)


def test_what_the_looks_missed_is_taken_from_the_kernel_and_shown() -> None:
    found = phase()
    assert found.engine_cpu == pytest.approx(6.0 / 5), "the kernel counted more than the looks"
    assert found.unseen == pytest.approx(1.2 - 0.9)


def test_what_nobody_waited_for_is_taken_from_the_looks() -> None:
    found = phase(after=reading(runs=13, ended=11.0, cli=9.0, pack=4.5))
    assert found.engine_cpu == pytest.approx(7.5 / 5)
    assert found.unseen == pytest.approx(0.0)


def test_the_report_shows_an_unfinished_phase_and_failures() -> None:
    text = render(
        Report(facts=["x"], notes=[], phases=[phase(late="3 of 5 were healthy", failed=2)], parts=("platform",))
    )
    assert "| first provision (late) | 10 | 5 | 12.3 | 3.0, 50.0 | 1.20 | 0.80 | 200, 300 |  |  |  |  |" in text
    assert "- first provision at 10 cells: not done in its time: 3 of 5 were healthy." in text
    assert "- first provision at 10 cells: 2 operations failed and were tried again." in text


def test_operations_that_nobody_asked_for_are_told() -> None:
    text = render(Report(facts=[], notes=[], phases=[phase(seconds=[1.0] * 7)], parts=()))
    assert "7 operations ran for 5 that were asked for" in text
    assert "What did not go well" not in render(Report(facts=[], notes=[], phases=[phase()], parts=()))


def test_kubectl_stands_beside_the_same_operation_at_the_same_size() -> None:
    rival = Rival(count=5, wall=2.5, settled=4.0, cpu=1.5, peak=82_000_000)
    beside, other = with_rivals([phase(), phase(cells=100)], {("first provision", 10): rival})
    assert other.rival is None
    text = render(Report(facts=[], notes=[], phases=[beside], parts=()))
    assert "| 2.5 | 4.0 | 0.30 | 82 |" in text


def test_growth_compares_the_most_cells_with_the_fewest() -> None:
    dearer = phase(cells=500, after=reading(runs=13, ended=16.6))
    assert growth([dearer, phase(), phase(operation="update", cells=900)], "first provision") == pytest.approx(1.1)
    assert growth([phase()], "first provision") is None


@pytest.mark.parametrize(("part", "expected"), [(50, 3.0), (95, 50.0), (20, 1.0), (21, 2.0)])
def test_percentiles_are_values_that_were_measured(part: float, expected: float) -> None:
    assert percentile([50.0, 1.0, 2.0, 4.0, 3.0], part) == expected


@pytest.mark.parametrize(
    ("checkouts", "cells", "expected"),
    [(100, 500, (10, 100, 500)), (10, 50, (10, 50)), (2, 3, (2, 3)), (100, 100, (10, 100)), (10, 5, (10,))],
)
def test_it_is_measured_at_three_sizes(checkouts: int, cells: int, expected: tuple[int, ...]) -> None:
    assert scales(checkouts, cells) == expected
