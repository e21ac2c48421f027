"""What a Go program says it was built from. Go need not be there: the list lies in the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MARK: Final = b"\xff Go buildinf:"
_HEAD: Final = 32
_INLINE: Final = 2
_GUARD: Final = 16
"""Bytes before and after the list, which say where it begins to whoever searches memory."""


def modules_of(program: Path) -> tuple[tuple[str, str], ...]:
    """Name and version of every module, none for a program that is not Go's.

    The form is that of Go 1.18 and later (the standard library's debug/buildinfo): a head of 32 bytes with a flag, then
    Go's version and the list, each as a length (unsigned varint) and that many bytes.
    """
    content = program.read_bytes()
    start = content.find(_MARK)
    while start >= 0:
        if start % 16 == 0 and content[start + 15] & _INLINE:
            return tuple(_listed(content, start + _HEAD))
        start = content.find(_MARK, start + 1)
    return ()


def _listed(content: bytes, at: int) -> Iterator[tuple[str, str]]:
    version, at = _string(content, at)
    yield "stdlib", version.decode().removeprefix("go").split(" ")[0]
    said, _ = _string(content, at)
    lines = said[_GUARD:-_GUARD].decode(errors="replace").splitlines()
    for index, line in enumerate(lines):
        word, *fields = line.split("\t")
        replaced = index + 1 < len(lines) and lines[index + 1].startswith("=>\t")
        if word in {"dep", "=>"} and len(fields) > 1 and not replaced:
            yield fields[0], fields[1]


def _string(content: bytes, at: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        byte = content[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return content[at : at + length], at + length
