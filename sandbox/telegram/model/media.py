"""How files appear inside messages."""

import struct
from typing import Any

from sandbox.telegram.model.bots import StoredFile

MEDIA_KINDS = ("photo", "document", "voice", "audio", "video", "animation", "sticker", "video_note")
_PNG = b"\x89PNG\r\n\x1a\n"


def media_field(kind: str, stored: StoredFile) -> dict[str, Any]:
    """Return the message field for a file of this kind; a photo is a list of sizes."""
    base = stored.wire()
    if kind == "photo":
        width, height = _picture_size(stored.content)
        return {"photo": [{**base, "width": width, "height": height}]}
    named = {**base, "mime_type": stored.mime_type}
    if kind in {"voice", "audio"}:
        return {kind: {**named, "duration": 1}}
    if kind in {"video", "animation", "video_note"}:
        return {kind: {**named, "duration": 1, "width": 320, "height": 240, "length": 240}}
    if kind == "sticker":
        shape = {"width": 512, "height": 512, "is_animated": False, "is_video": False, "type": "regular"}
        return {kind: {**base, **shape}}
    return {"document": {**named, "file_name": stored.name}}


def _picture_size(content: bytes) -> tuple[int, int]:
    if content.startswith(_PNG) and len(content) >= 24:  # noqa: PLR2004  the IHDR chunk ends its sizes at byte 24
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    return 90, 90
