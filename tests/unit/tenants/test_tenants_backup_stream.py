"""The encrypted archive format: opens only whole, only with its key, only for its tenant."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from clawstack.errors import PermanentError
from tenants.backups.stream import CHUNK, MAGIC, decrypt, encrypt

KEY = b"k" * 32
TAG = 16
HEADER = 31


def sealed(plain: bytes, *, key: bytes = KEY, slug: str = "emma") -> bytes:
    target = io.BytesIO()
    encrypt(io.BytesIO(plain), target, key=key, slug=slug)
    return target.getvalue()


def opened(data: bytes, *, key: bytes = KEY, slug: str = "emma") -> bytes:
    target = io.BytesIO()
    decrypt(io.BytesIO(data), target, key=key, slug=slug)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])
def test_what_goes_in_comes_out(size: int) -> None:
    plain = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    data = sealed(plain[:size])
    assert data.startswith(MAGIC)
    assert opened(data) == plain[:size]
    assert len(data) == HEADER + size + TAG * max(1, -(-size // CHUNK))


def test_sealing_twice_gives_different_archives() -> None:
    assert sealed(b"same") != sealed(b"same")


def test_a_pipe_that_gives_little_at_a_time_is_read_whole() -> None:
    class Dribble(io.BytesIO):
        @override
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1, 1000))

    target = io.BytesIO()
    encrypt(Dribble(b"x" * (CHUNK + 5)), target, key=KEY, slug="emma")
    assert opened(target.getvalue()) == b"x" * (CHUNK + 5)


THREE = sealed(b"a" * CHUNK + b"b" * CHUNK + b"c")
FIRST, SECOND = HEADER, HEADER + CHUNK + TAG


@pytest.mark.parametrize(
    "damaged",
    [
        THREE[:-1],
        THREE[: SECOND + CHUNK + TAG],  # the last chunk cut off at its border
        THREE[:SECOND],
        THREE[:HEADER] + THREE[SECOND : SECOND + CHUNK + TAG] + THREE[FIRST:SECOND] + THREE[SECOND + CHUNK + TAG :],
        THREE[:100] + bytes([THREE[100] ^ 1]) + THREE[101:],
        THREE[:10] + bytes([THREE[10] ^ 1]) + THREE[11:],
        THREE + b"more",
        b"",
        b"CLAWBAK1",
        b"PK" + THREE[2:],
    ],
    ids=["short", "cut", "cut early", "swapped", "flipped", "header", "longer", "empty", "stub", "other"],
)
def test_nothing_but_the_whole_archive_opens(damaged: bytes) -> None:
    with pytest.raises(PermanentError, match=r"does not open|is not an encrypted"):
        opened(damaged)


def test_another_key_or_tenant_does_not_open_it() -> None:
    with pytest.raises(PermanentError):
        opened(sealed(b"x"), key=b"j" * 32)
    with pytest.raises(PermanentError):
        opened(sealed(b"x"), slug="mia")


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_flipped_byte_is_noticed(plain: bytes, where: int, flip: int) -> None:
    data = bytearray(sealed(plain))
    data[where % len(data)] ^= flip
    with pytest.raises(PermanentError):
        opened(bytes(data))


def test_everything_passes_the_targets_own_write() -> None:
    class Counting(io.BytesIO):
        seen = 0

        @override
        def write(self, data: Any) -> int:
            self.seen += len(data)
            return super().write(data)

    plain = Counting()
    decrypt(io.BytesIO(sealed(b"x" * (CHUNK + 5))), plain, key=KEY, slug="emma")
    assert plain.seen == CHUNK + 5, "checksums are taken where the bytes pass"
