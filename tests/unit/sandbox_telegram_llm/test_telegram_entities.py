"""Formatted text."""

import pytest

from sandbox.telegram.model.entities import found_entities, parse_text
from sandbox.telegram.model.errors import BotApiError


def test_html_nests_and_counts_utf16() -> None:
    text, entities = parse_text('😀 <b>bold <i>both</i></b> <a href="https://x.test/">link</a> a &lt; b', "HTML")
    assert text == "😀 bold both link a < b"
    assert entities == [
        {"type": "bold", "offset": 3, "length": 9},
        {"type": "italic", "offset": 8, "length": 4},
        {"type": "text_link", "offset": 13, "length": 4, "url": "https://x.test/"},
    ]


def test_code_blocks_know_their_language() -> None:
    text, entities = parse_text('<pre><code class="language-python">x</code></pre>', "html")
    assert text == "x"
    assert {"type": "pre", "offset": 0, "length": 1, "language": "python"} in entities


@pytest.mark.parametrize("broken", ["<b><i>x</b></i>", "x</b>", "<script>x</script>"])
def test_broken_html_is_refused(broken: str) -> None:
    with pytest.raises(BotApiError, match="can't parse entities"):
        parse_text(broken, "HTML")


def test_markdown_marks_and_escapes() -> None:
    text, entities = parse_text(r"*bold* `code` [here](https://x.test) 1\.5", "MarkdownV2")
    assert text == "bold code here 1.5"
    assert [e["type"] for e in entities] == ["bold", "code", "text_link"]


def test_commands_mentions_and_links_are_found() -> None:
    found = found_entities("/start@Some_Bot 1/2 @someone me@mail.test https://x.test/a?b")
    assert [(e["type"], e["offset"], e["length"]) for e in found] == [
        ("bot_command", 0, 15),
        ("mention", 20, 8),
        ("url", 42, 18),
    ]
