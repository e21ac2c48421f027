"""Commands that the pages name exist, with the options that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from services.cli.app import app

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def named(text: str) -> list[list[str]]:
    """The words after `clawstack` in code, alternatives (`a|b`) apart."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    inline = re.findall(r"(?<!`)`(clawstack\s[^`]+)`", text)
    code = inline + re.findall(r"^(clawstack .+)$", blocks, re.MULTILINE)
    calls = [re.sub(r"#.*", "", call).split() for line in code for call in line.split(";")]
    return [found for call in calls if call and call[0] == "clawstack" for found in _alternatives(call[1:])]


def _alternatives(words: list[str]) -> list[list[str]]:
    several = next((word for word in words if "|" in word), "")
    return [[choice if word == several else word for word in words] for choice in several.split("|")]


def misses(words: list[str]) -> str | None:
    """What of a call the command line does not know."""
    command = typer.main.get_command(app)
    for word in words:
        children = getattr(command, "commands", None)
        if word.startswith("--"):
            if word != "--help" and word not in {option for param in command.params for option in param.opts}:
                return word
        elif children is not None:
            if word not in children:
                return word
            command = children[word]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_pages_exist(page):
    wrong = [(" ".join(words), miss) for words in named(page.read_text()) if (miss := misses(words))]
    assert wrong == []


def test_a_wrong_command_would_be_seen():
    text = "`clawstack tenants show|paint SLUG`, `clawstack serve --rule worker`\n```\nclawstack doctor  # fine\n```\n"
    assert [misses(words) for words in named(text)] == [None, "paint", "--rule", None]
    assert len(named((ROOT / "docs" / "operators.md").read_text())) > 15
