"""Nothing secret passes the redactor, known or by shape. Secrets are put together here, so that no scanner finds one."""

from __future__ import annotations

import io
import logging

import pytest

from clawstack import logs, tokens
from clawstack.redaction import MASK, Redactor

SHAPES = {
    "stripe key": "sk_" + "test_" + "a1" * 12,
    "webhook secret": "wh" + "sec_" + "b2" * 12,
    "bot token": "123456789:" + "AAc" * 12,
    "bearer": "Bearer " + "d4" * 12,
    "vendor key": "sk-" + "proj-" + "e5" * 12,
    "database password": "postgresql://user:" + "hunter22" + "@host/db",
    "password with an at sign": "postgres://user:" + "hunt@er22" + "@host/db",
    "password without a user": "redis://:" + "hunter22" + "@host/db",
    "password in a query": "postgres:///db?user=u&password=" + "hunter22" + "&sslmode=require",
    "signature in a query": "azblob://box?sas_token=" + "sv%3D2024" + "&x=1",
    "private key": "-----BEGIN " + "EC PRIVATE KEY-----\n" + "f6/+" * 12 + "=\n-----END EC PRIVATE KEY-----",
    "private key in JSON": "-----BEGIN " + "PRIVATE KEY-----\\n" + "f6/+" * 12 + "\\n-----END PRIVATE KEY-----\\n",
    **{f"token {kind.name}": tokens.issue(kind).reveal() for kind in tokens.TokenKind},
}


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES.keys())
def test_secret_shapes_are_struck_out(secret):
    cleaned = Redactor().text(f"before {secret} after")
    assert secret not in cleaned
    assert MASK in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


def test_registered_values_are_struck_out_wherever_they_stand():
    redactor = Redactor()
    redactor.register("planted-secret", "planted-secret-longer")
    value = {"a": ["x planted-secret-longer y", {"b": "planted-secret"}], "password": "anything", "n": 3}
    assert redactor.value(value) == {"a": [f"x {MASK} y", {"b": MASK}], "password": MASK, "n": 3}


def test_values_that_overlap_or_share_a_beginning_are_struck_out_from_the_left_and_whole():
    redactor = Redactor()
    redactor.register("secret-one-long", "secret-one", "secret-two", "one-long-tail")
    assert redactor.text("secret-one-long-tail") == f"{MASK}-tail"
    assert redactor.text("secret-two") == MASK
    assert redactor.text("secret-onsecret-one!") == f"secret-on{MASK}!"
    assert redactor.text("secret-onx") == "secret-onx"


def test_values_beside_each_other_and_at_both_ends_are_struck_out():
    redactor = Redactor()
    redactor.register("abcdefgh", "hgfedcba")
    assert redactor.text("abcdefghhgfedcbaabcdefgh") == MASK * 3
    assert redactor.text("abcdefg") == "abcdefg"


def test_one_more_value_costs_no_more_when_many_are_known():
    redactor = Redactor()
    # They differ from their first characters on, as random secrets do.
    redactor.register(*(f"{number:06}-planted-secret-number" for number in range(20_000)))
    for number in range(2_000):  # with one pattern of all, each of these would take half a second
        redactor.register(f"another-planted-secret-{number:06}")
    assert redactor.text("x another-planted-secret-001999 000000-planted-secret-number") == f"x {MASK} {MASK}"


def test_one_more_value_costs_no_more_when_many_begin_alike():
    redactor = Redactor()
    redactor.register(*(f"planted-{number:06}" for number in range(20_000)))  # with a scan of all: over ten seconds
    assert redactor.text("planted-000001 " * 2000) == f"{MASK} " * 2000


def test_the_key_of_a_token_stays_readable():
    token = tokens.issue(tokens.TokenKind.OPERATOR)
    assert token.key in Redactor().text(token.reveal())


def test_short_values_do_not_strike_out_ordinary_words():
    redactor = Redactor()
    redactor.register("the", "")
    assert redactor.text("the end") == "the end"


@pytest.mark.parametrize("form", ["console", "json"])
def test_logs_are_redacted_also_those_of_libraries_and_tracebacks(form):
    stream, redactor = io.StringIO(), Redactor()
    redactor.register("planted-secret")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure(redactor=redactor, form=form, stream=stream)
        logs.get_logger("ours").info("hello", token="anything", note="planted-secret")
        logging.getLogger("library").warning("url is %s", SHAPES["database password"])
        try:
            raise ValueError("planted-secret in an exception")
        except ValueError:
            logs.get_logger("ours").exception("failed")
    finally:
        root.handlers[:], root.level = before
    text = stream.getvalue()
    assert "hello" in text
    assert "failed" in text
    for secret in ("planted-secret", "hunter22", "anything"):
        assert secret not in text
