"""Takes off what OpenClaw wraps around a user's words, so that the answer quotes the words.

Seen in OpenClaw 2026.9.6 (and in its own stripper, auto-reply/reply/strip-inbound-meta): a time stamp in brackets,
header lines that end with a marker and are followed by a JSON block or by lines up to an empty one, delimited internal
context, a closing `Context:` block, and a `Runtime:` line behind the first message of a session.
"""

import re

MARKER = "\u27e6openclaw:ctx\u27e7"
_INTERNAL = re.compile(r"<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>.*?(<<<END_OPENCLAW_INTERNAL_CONTEXT>>>|\Z)", re.DOTALL)
_STAMP = re.compile(r"\A\s*\[[A-Za-z]{3} \d{4}-\d{2}-\d{2} \d{2}:\d{2}[^\]\n]*\][ \t]*")
_LAST_CONTEXT = re.compile(rf"^[ \t]*Context: {MARKER}[ \t]*$.*\Z", re.DOTALL | re.MULTILINE)
_JSON_BLOCK = re.compile(rf"^[^\n]*{MARKER}[ \t]*\n```json\n.*?(\n```[ \t]*(?=\n|\Z)|\Z)", re.DOTALL | re.MULTILINE)
_LINES_BLOCK = re.compile(rf"^[^\n]*{MARKER}[ \t]*\n.*?(?=\n[ \t]*\n|\Z)", re.DOTALL | re.MULTILINE)
_SMALL_LINE = re.compile(
    r"^(Runtime: agent=.*|\[message_id:.*\]|\[media attached.*\]|\[Queued user message .*\]"
    r"|Continue the current task from the existing transcript.*)[ \t]*$",
    re.MULTILINE,
)


def bare(text: str) -> str:
    """Return one message without envelope; empty when it was nothing but envelope."""
    for wrapping in (_INTERNAL, _STAMP, _LAST_CONTEXT, _JSON_BLOCK, _LINES_BLOCK, _SMALL_LINE, _STAMP):
        text = wrapping.sub("", text)
    return text.strip()


def spoken(texts: list[str]) -> str:
    """Return the last thing that the user really said; empty when there is nothing."""
    return next((words for text in reversed(texts) if (words := bare(text))), "")
