"""Which of Pulumi's plugins the conformance tests run against: all that are here, or those that are asked for.

`--pulumi-plugins official` on a machine that has Pulumi's own is the proof that the stand-ins behave like them. Where
one is not here there is no test for it, skipped or not, and the head of the run says so; asked for by name it is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

OPTION: Final = "--pulumi-plugins"
COMPARED: Final = ("hcloud", "kubernetes", "random")
_PRESENT: Final = "present"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One executable that claims to be a plugin."""

    name: str
    origin: str
    path: Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pulumi-plugins present|official|offline`."""
    parser.addoption(OPTION, choices=(_PRESENT, "official", "offline"), default=_PRESENT, help="plugins to compare")


def pytest_report_header(config: pytest.Config) -> str:
    """Tell in one line what is compared."""
    return "pulumi plugins: " + "; ".join(_told(name, config.getoption(OPTION)) for name in COMPARED)


def once_for_each(metafunc: pytest.Metafunc, fixture: str, name: str) -> None:
    """Make a test that uses `fixture` one test for every plugin of that name that is here and asked for."""
    if fixture not in metafunc.fixturenames:
        return
    found = compared(name, metafunc.config.getoption(OPTION))
    if not found:  # never here by default: set-up makes a stand-in of each
        raise pytest.UsageError(f"No {name} plugin of the kind that {OPTION} asks for is here.")
    metafunc.parametrize(fixture, found, ids=[each.origin for each in found], indirect=True, scope="module")


def compared(name: str, wanted: str) -> list[Compared]:
    """The plugins of that name that are here and asked for."""
    # Late: most runs compare nothing.
    from toolchain.ground.finding import find_official_plugin, find_pulumi
    from toolchain.ground.plugin_choice import WANTED, generated_folder
    from toolchain.ground.surroundings import Surroundings, executable

    around = Surroundings.read()
    pulumi = find_pulumi(around)
    (plugin,) = [each for each in WANTED if each.kind == "resource" and each.name == name]
    official = find_official_plugin(around, "resource", name, pulumi.path if pulumi else None)
    offline = generated_folder(around, plugin) / plugin.file
    found = [] if official is None else [Compared(name=name, origin="official", path=official.path)]
    found += [Compared(name=name, origin="offline", path=offline)] if executable(offline) else []
    return [each for each in found if wanted in (_PRESENT, each.origin)]


def _told(name: str, wanted: str) -> str:
    found = [each.origin for each in compared(name, wanted)]
    lacking = "" if "official" in found or wanted == "offline" else " (no official one is here)"
    return f"{name} {' and '.join(found) or 'none'}{lacking}"
