"""Takes off what OpenClaw wraps around a user's words, so that the answer quotes the words."""

import re

_INTERNAL = re.compile(r"<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>.*?(<<<END_OPENCLAW_INTERNAL_CONTEXT>>>|\Z)", re.DOTALL)
_METADATA = re.compile(r"^[^\n`]*:[^\n`]*\n```json\n.*?\n```\n*", re.DOTALL | re.MULTILINE)
_STAMP = re.compile(r"^\[[^\]\n]*\d{4}-\d{2}-\d{2}[^\]\n]*\]\s*", re.MULTILINE)
_MESSAGE_ID = re.compile(r"^\[message_id:[^\]\n]*\]\s*$", re.MULTILINE)


def bare(text: str) -> str:
    """Return one message without envelope; empty when it was nothing but envelope."""
    for wrapping in (_INTERNAL, _METADATA, _STAMP, _MESSAGE_ID):
        text = wrapping.sub("", text)
    return text.strip()


def spoken(texts: list[str]) -> str:
    """Return the last thing that the user really said; empty when there is nothing."""
    return next((words for text in reversed(texts) if (words := bare(text))), "")
