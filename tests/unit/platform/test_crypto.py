"""Envelope encryption and the master key's file."""

from __future__ import annotations

import base64
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from clawstack import crypto
from clawstack.errors import NeedsAttentionError, PermanentError


@pytest.fixture
def master():
    return crypto.MasterKey(secrets.token_bytes(32))


def test_a_sealed_value_opens_only_in_its_own_context(master):
    sealed = master.seal(b"planted", context="tenant:a:proxy_token")
    assert master.open(sealed, context="tenant:a:proxy_token") == b"planted"
    with pytest.raises(PermanentError, match="does not open"):
        master.open(sealed, context="tenant:b:proxy_token")


def test_sealing_twice_gives_different_ciphertexts(master):
    assert master.seal(b"x", context="c") != master.seal(b"x", context="c")


@pytest.mark.parametrize("position", [0, 1, 13, -1])
def test_a_changed_byte_is_noticed(master, position):
    sealed = bytearray(master.seal(b"planted", context="c"))
    sealed[position] ^= 1
    with pytest.raises(PermanentError):
        master.open(bytes(sealed), context="c")


def test_a_data_key_unwraps_only_for_its_tenant(master):
    wrapped = master.wrap(master.new_data_key(), tenant="a")
    assert master.unwrap(wrapped, tenant="a").fingerprint()
    with pytest.raises(PermanentError):
        master.unwrap(wrapped, tenant="b")


def test_repr_never_shows_the_key():
    key = b"k" * 32
    assert "kkk" not in repr(crypto.DataKey(key))
    assert base64.b64encode(key).decode() not in repr(crypto.MasterKey(key))


def test_the_file_is_made_once_with_mode_0600_even_by_racing_processes(tmp_path):
    path = tmp_path / "deep" / "master.key"
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: crypto.load_or_create_master_key(path).fingerprint(), range(32)))
    assert len(set(keys)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["master.key"]


def test_a_file_that_others_may_read_is_refused_with_the_command(tmp_path):
    path = tmp_path / "master.key"
    crypto.load_or_create_master_key(path)
    path.chmod(0o640)
    with pytest.raises(NeedsAttentionError) as caught:
        crypto.read_master_key(path)
    assert f"chmod 600 {path}" in caught.value.sentence()


@pytest.mark.parametrize("text", ["", "short", "!" * 44, base64.b64encode(b"k" * 31).decode()])
def test_a_bad_master_key_is_refused_without_repeating_it(text):
    with pytest.raises(NeedsAttentionError) as caught:
        crypto.parse_master_key(text)
    assert "python3 -c" in caught.value.sentence()
    assert not text or text not in caught.value.sentence()
