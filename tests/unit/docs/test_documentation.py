"""Documentation is checked: every setting described, every link, file, module and target in it is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from clawstack.settings import environment_names
from services.cli import reference

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_configuration_page_is_what_the_settings_say():
    assert (ROOT / "docs" / "configuration.md").read_text() == reference.render()


def test_every_setting_is_on_the_page():
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [name for name in environment_names() if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_named_in_the_pages_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`make ([a-z][a-z0-9-]*)", page.read_text()))
    named -= {name for name in named if name.startswith("bench")}
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


ENGINEERS = ROOT / "docs" / "engineers.md"
PRODUCT = ("services", "tenants", "platform", "policies", "sandbox", "toolchain")
_PLACE = re.compile(rf"(?<![\w./-])((?:{'|'.join(PRODUCT)}|tests|bench|docs)/[\w./-]*\w)")
_DOTTED = re.compile(
    r"(?<![\w./:@-])((?:services|tenants|clawstack|clawstack_policies|sandbox|toolchain|tests)(?:\.[A-Za-z_]\w*)+)(?![\w/-])"
)
_NAMED_IN = re.compile(r"`([\w/]+\.py)` \(`(\w+)`\)")
#: What a page names because it must not exist.
_FORBIDDEN = {"platform/__init__.py"}


def made_up(place: str) -> bool:
    """A place for a name of the reader's own: `tenants/NAME`."""
    return any(part.isupper() for part in re.split(r"[/.]", place) if part != "README")


def module_exists(dotted: str) -> bool:
    """True for a package, a module, or a name that stands in one."""
    first, *rest = dotted.split(".")
    here = ROOT / {"clawstack": "platform/clawstack", "clawstack_policies": "policies/clawstack_policies"}.get(
        first, first
    )
    while rest and (here / rest[0]).is_dir():
        here /= rest.pop(0)
    if not rest:
        return True
    module = here / f"{rest.pop(0)}.py"
    if module.is_file():
        return not rest or re.search(rf"\b{rest[0]}\b", module.read_text()) is not None
    name, package = dotted.rsplit(".", 1)[1], here / "__init__.py"
    return not rest and package.is_file() and re.search(rf"\b{name}\b", package.read_text()) is not None


def missing(text: str) -> list[str]:
    """Files and modules that the text names and that are not there."""
    places = [place for place in _PLACE.findall(text) if not made_up(place) and not (ROOT / place).exists()]
    modules = [dotted for dotted in _DOTTED.findall(text) if not module_exists(dotted)]
    return [name for name in places + modules if name not in _FORBIDDEN]


def words_of(source: str) -> str:
    """Docstrings, strings that document a field, and comments."""
    texts = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return "\n".join([*texts, *re.findall(r"#.*", source)])


@pytest.mark.parametrize(
    "text", ["services/llm_proxy", "`services.cli.gone`", "services.cli.demo.no_such_name", "tests/x.py"]
)
def test_what_is_not_there_is_found(text):
    assert missing(f"See {text}.") == [text.strip("`")]


@pytest.mark.parametrize(
    "text", ["services/cli", "services.cli.demo.demo", "tenants/NAME", "clawstack.addons.build_addons"]
)
def test_what_is_there_is_not_complained_about(text):
    assert missing(f"See `{text}`.") == []


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "Makefile", ROOT / "sandbox" / "README.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_files_and_modules_named_in_the_pages_exist(page):
    assert missing(page.read_text()) == []


@pytest.mark.parametrize("folder", PRODUCT)
def test_files_and_modules_named_in_the_codes_own_words_exist(folder):
    found = {path.relative_to(ROOT): missing(words_of(path.read_text())) for path in (ROOT / folder).rglob("*.py")}
    assert {str(path): names for path, names in found.items() if names} == {}


def modules_named(words: str) -> set[str]:
    """Modules that a package's docstring lists (`name ── what it does`) or strings together with arrows."""
    listed = [name for names in re.findall(r"^ {4}([a-z_, .]+?) ──", words, re.MULTILINE) for name in names.split(",")]
    ways = [paragraph for paragraph in words.split("\n\n") if "->" in paragraph]
    walked = [name for paragraph in ways for name in re.findall(r"`([a-z_]+)`", paragraph)]
    return {name.strip(" .") for name in (*listed, *walked)}


@pytest.mark.parametrize("folder", PRODUCT)
def test_modules_that_a_packages_docstring_lists_are_in_it(folder):
    found = {}
    for path in (ROOT / folder).rglob("__init__.py"):
        words = ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""
        there = {entry.stem for near in (path.parent, path.parent.parent) for entry in near.iterdir()}
        if lacking := modules_named(words) - there:
            found[path.parent.relative_to(ROOT).as_posix()] = lacking
    assert found == {}


def test_names_that_the_engineers_page_looks_for_in_a_file_are_there():
    named = _NAMED_IN.findall(ENGINEERS.read_text())
    assert len(named) > 3
    assert [(path, name) for path, name in named if not re.search(rf"\b{name}\b", (ROOT / path).read_text())] == []


def test_the_map_shows_every_floor_with_every_noun():
    rows = {row.split("`")[1]: row for row in ENGINEERS.read_text().splitlines() if row.startswith("| `services/")}
    floors = {path.parent for path in (ROOT / "services").glob("*/__init__.py")}
    assert set(rows) == {floor.relative_to(ROOT).as_posix() for floor in floors}
    nouns = [(floor, path.parent.name) for floor in floors for path in floor.glob("*/__init__.py")]
    lacking = [
        f"{floor.name}/{noun}"
        for floor, noun in nouns
        if not re.search(rf"[`/]{noun}`", rows[floor.relative_to(ROOT).as_posix()])
    ]
    assert lacking == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_named_in_blocks_exist(page):
    blocks = re.findall(r"^```\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    named = {name for block in blocks for name in re.findall(r"^make ([a-z][a-z0-9-]*)", block, re.MULTILINE)}
    named -= {name for name in named if name.startswith("bench")}
    targets = (ROOT / "Makefile").read_text()
    assert {name for name in named if not re.search(rf"^{name}:", targets, re.MULTILINE)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_benchmarks_named_in_the_pages_exist(page):
    named = set(re.findall(r"make bench-([a-z_-]+)", page.read_text()))
    assert {name for name in named if not (ROOT / "bench" / f"{name}.py").exists()} == set()
