"""Formatted text: Telegram's HTML and its two Markdown dialects, parsed to plain text plus entities.

HTML is parsed in full. Of Markdown only inline marks, links and code are understood, which is what bots send.
Source: core.telegram.org/bots/api#formatting-options. Offsets count UTF-16 units.
"""

import re
from html.parser import HTMLParser
from typing import Any, Final

from typing_extensions import override

from sandbox.telegram.model.errors import bad_request

TAGS: Final = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "blockquote": "blockquote", "tg-spoiler": "spoiler", "span": "spoiler", "tg-emoji": "custom_emoji",
}  # fmt: skip
_COMMAND = re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?")
_MENTION = re.compile(r"(?<![\w@])@[A-Za-z][A-Za-z0-9_]{3,31}")
_URL = re.compile(r"https?://[^\s<>]+")
_MARKDOWN = re.compile(
    r"```(?:(?P<language>\w+)\n)?(?P<pre>.*?)```|`(?P<code>[^`]*)`|\[(?P<label>[^\]]*)\]\((?P<url>[^)]*)\)"
    r"|\|\|(?P<spoiler>.+?)\|\||__(?P<underline>.+?)__|\*(?P<bold>[^*]+)\*|_(?P<italic>[^_]+)_|~(?P<strike>[^~]+)~"
    r"|\\(?P<escaped>.)",
    re.DOTALL,
)
_MARKDOWN_KINDS: Final = {
    "pre": "pre", "code": "code", "label": "text_link", "spoiler": "spoiler", "underline": "underline",
    "bold": "bold", "italic": "italic", "strike": "strikethrough",
}  # fmt: skip


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 units, which is how Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def parse_text(text: str, parse_mode: str) -> tuple[str, list[dict[str, Any]]]:
    """Return plain text and its entities. Raises a 400 for a tag that Telegram does not know or that never ends."""
    mode = parse_mode.lower()
    if mode == "html":
        return _parse_html(text)
    if mode in {"markdown", "markdownv2"}:
        return _parse_markdown(text)
    if mode:
        raise bad_request("unsupported parse_mode")
    return text, []


def found_entities(text: str) -> list[dict[str, Any]]:
    """Return the entities that Telegram finds by itself: commands, mentions, links."""
    found = [
        {"type": kind, "offset": utf16_length(text[: match.start()]), "length": utf16_length(match.group())}
        for kind, pattern in (("bot_command", _COMMAND), ("mention", _MENTION), ("url", _URL))
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda entity: int(str(entity["offset"])))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.entities: list[dict[str, Any]] = []
        self._open: list[tuple[str, dict[str, Any]]] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise bad_request(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {len(self.text)}')
        entity: dict[str, Any] = {"type": TAGS[tag], "offset": utf16_length(self.text)}
        for name, value in attrs:
            if tag == "a" and name == "href":
                entity["url"] = value or ""
            if tag == "code" and name == "class" and self._open and self._open[-1][0] == "pre":
                self._open[-1][1]["language"] = (value or "").removeprefix("language-")
        self._open.append((tag, entity))

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise bad_request(
                f'can\'t parse entities: Unmatched end tag at byte offset {len(self.text)}, found "</{tag}>"'
            )
        _, entity = self._open.pop()
        entity["length"] = utf16_length(self.text) - entity["offset"]
        if entity["length"]:
            self.entities.append(entity)

    @override
    def handle_data(self, data: str) -> None:
        self.text += data

    def finish(self) -> tuple[str, list[dict[str, Any]]]:
        self.close()
        if self._open:
            raise bad_request(
                f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1][0]}\""
            )
        return self.text, sorted(self.entities, key=lambda entity: (entity["offset"], -entity["length"]))


def _parse_html(text: str) -> tuple[str, list[dict[str, Any]]]:
    reader = _Reader()
    reader.feed(text)
    return reader.finish()


def _parse_markdown(text: str) -> tuple[str, list[dict[str, Any]]]:
    plain, entities, last = "", list[dict[str, Any]](), 0
    for match in _MARKDOWN.finditer(text):
        plain += text[last : match.start()]
        last = match.end()
        kind = next(name for name in (*_MARKDOWN_KINDS, "escaped") if match.group(name) is not None)
        inner = match.group(kind)
        if kind in _MARKDOWN_KINDS:
            entity: dict[str, Any] = {"type": _MARKDOWN_KINDS[kind], "offset": utf16_length(plain)}
            entity["length"] = utf16_length(inner)
            if kind == "label":
                entity["url"] = match.group("url")
            entities.append(entity)
        plain += inner
    return plain + text[last:], entities
