"""Which tests a change reaches."""

from __future__ import annotations

from tests.near import ROOTS, reached

_IMPORTS = {
    "clawstack.naming": set(),
    "services": set(),
    "services.box": set(),
    "services.box.rules": {"clawstack.naming"},
    "services.box.words": set(),
    "services.page": {"services.box.rules"},
    "tests.integration.conftest": {"services.page"},
    "tests.integration.test_story": set(),
    "tests.unit.helper": {"clawstack.naming"},
    "tests.unit.test_helped": {"tests.unit.helper"},
    "tests.unit.test_naming": {"clawstack.naming"},
    "tests.unit.test_words": {"services.box.words"},
}


def _near(*files: str) -> list[str]:
    def importers(module: str) -> set[str]:
        return {name for name, imported in _IMPORTS.items() if module in imported}

    return [name.rpartition(".")[2] for name in reached(files, set(_IMPORTS), importers)]


def test_the_nearest_come_first_and_those_with_processes_last() -> None:
    assert _near("platform/clawstack/naming.py") == ["test_naming", "test_helped", "test_story"]


def test_a_changed_test_is_reached_by_itself() -> None:
    assert _near("tests/unit/test_words.py") == ["test_words"]


def test_a_conftest_reaches_all_below_it() -> None:
    assert _near("tests/integration/conftest.py") == ["test_story"]


def test_a_packages_own_file_and_data_reach_what_uses_the_package() -> None:
    assert _near("services/box/__init__.py") == ["test_words", "test_story"]
    assert _near("services/box/texts.yaml") == ["test_words", "test_story"]


def test_what_nothing_imports_reaches_nothing() -> None:
    assert _near("README.md", "services/box/gone.py", "go.mod") == []


def test_every_root_is_one_of_ours() -> None:
    assert {"clawstack", "tenants", "services", "sandbox", "toolchain", "tests"} <= ROOTS.keys()
