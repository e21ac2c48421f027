"""Documentation is checked: every setting described, every link in it leads somewhere."""

from __future__ import annotations

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
    named = set(re.findall(r"`make ([a-z][a-z-]*)", page.read_text()))
    named -= {name for name in named if name.startswith("bench")}
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()
