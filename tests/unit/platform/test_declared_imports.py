"""Every package that is imported is pinned: what only stands there because another package wants it may be gone tomorrow."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[3]
PRODUCT = ("platform", "policies", "tenants", "services", "sandbox", "toolchain", "__main__.py")
BESIDE = ("tests", "bench")
#: Our own packages, which the editable install or a source root brings.
OURS = frozenset({"clawstack", "clawstack_policies", "tenants", "services", "sandbox", "toolchain", "tests", "bench"})
#: Where a package lies in folders of several distributions, the one that is meant.
MEANT: Mapping[str, str] = {"google": "protobuf", "lightkube": "lightkube"}


def test_everything_that_the_product_imports_is_pinned_for_it() -> None:
    assert not undeclared(PRODUCT, pinned("requirements.txt"))


def test_everything_that_tests_and_measurements_import_is_pinned() -> None:
    assert not undeclared(BESIDE, pinned("requirements.txt") | pinned("requirements-dev.txt"))


def test_an_import_that_nothing_declares_is_told(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import json\nimport yaml.nodes\nfrom . import near\n\ndef late():\n    from pytest import mark\n"
    )
    assert imported([module]) == {"yaml": {module}, "pytest": {module}}


def undeclared(places: Iterable[str], pins: frozenset[str]) -> list[str]:
    """`package (distribution): first module that imports it`, for every package without a pin."""
    known = _distributions()
    missing = []
    for package, modules in sorted(imported(files(places)).items()):
        distribution = MEANT.get(package) or next(iter(known.get(package, ())), package)
        if package not in OURS and normal(distribution) not in pins:
            missing.append(f"{package} ({distribution}): {min(modules).relative_to(ROOT)}")
    return missing


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()  # looks at every file of every distribution


def files(places: Iterable[str]) -> Iterable[Path]:
    """Python modules below these places of the checkout."""
    for place in places:
        path = ROOT / place
        yield from [path] if path.is_file() else path.rglob("*.py")


def imported(modules: Iterable[Path]) -> dict[str, set[Path]]:
    """Packages outside the standard library, and who imports them, late imports included."""
    found: dict[str, set[Path]] = defaultdict(set)
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match node:
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case ast.ImportFrom(level=0, module=str(name)):
                    names = [name]
                case _:
                    continue
            for name in names:
                found[name.partition(".")[0]].add(module)
    return {package: users for package, users in found.items() if package not in sys.stdlib_module_names}


def pinned(name: str) -> frozenset[str]:
    """Distributions with an exact version in a file of requirements."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return frozenset(normal(match[1]) for line in lines if (match := re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==", line)))


def normal(distribution: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
