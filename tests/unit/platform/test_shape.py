"""The shape of the product's code: small files, small functions, packages that say what belongs into them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[3]
PRODUCT = ("platform", "tenants", "services", "policies", "sandbox", "toolchain")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MEDIAN_FUNCTION = 6

#: Generated, and the one file that a server's agent must be.
APART = {"services/tables/migrations/versions", "tenants/server/agent"}

#: Packages whose docstrings say what belongs there and what does not.
SPEAKING = ("services", "tenants", "platform/clawstack")


def files(suffixes: set[str]) -> Iterator[Path]:
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*")):
            place = path.relative_to(ROOT).as_posix()
            if path.suffix in suffixes and not any(place.startswith(apart + "/") for apart in APART):
                yield path


@cache
def functions() -> dict[str, int]:
    """Lines of every function of the product, decorators left out, by file and name."""
    return {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in files({".py"})
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def packages() -> list[Path]:
    return sorted(path for folder in SPEAKING for path in (ROOT / folder).rglob("__init__.py"))


def test_no_file_is_long():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files({".py", ".mjs", ".sh"})
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_long():
    assert {name: lines for name, lines in functions().items() if lines > LONGEST_FUNCTION} == {}


def test_functions_are_small():
    assert median(functions().values()) <= MEDIAN_FUNCTION


@pytest.mark.parametrize("path", packages(), ids=lambda path: path.parent.relative_to(ROOT).as_posix())
def test_a_package_says_what_belongs_there_and_what_does_not(path):
    words = ast.get_docstring(ast.parse(path.read_text())) or ""
    first, _, rest = words.partition(".")
    assert len(first.split()) > 2, "what is it?"
    assert re.search(r"\bNot here: \S", " ".join(words.split())), "what must not be here?"
    assert rest


def test_every_folder_with_modules_is_a_package():
    lacking = {path.parent for path in files({".py"}) if path.parts[len(ROOT.parts)] in {"services", "tenants"}}
    assert {folder.relative_to(ROOT) for folder in lacking if not (folder / "__init__.py").exists()} == set()
