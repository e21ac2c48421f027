"""Tokens: shape, hash, and what is not one."""

from __future__ import annotations

import pytest

from clawstack import tokens


def test_a_token_round_trips_and_hides_its_secret():
    token = tokens.issue(tokens.TokenKind.PROXY)
    assert tokens.parse(token.reveal(), kind=tokens.TokenKind.PROXY) == token
    assert token.secret not in repr(token)
    assert token.secret not in str(token)
    assert token.matches(token.secret_hash())
    assert not tokens.issue(tokens.TokenKind.PROXY).matches(token.secret_hash())


@pytest.mark.parametrize(
    "change",
    [lambda t: t + "x", lambda t: t[:-1], lambda t: t.replace("_", "-", 1), lambda t: t.upper(), lambda t: " " + t,
     lambda t: t + "\n", lambda t: "", lambda t: t.replace("clawpx", "clawch")],
)  # fmt: skip
def test_anything_else_is_no_token(change):
    text = tokens.issue(tokens.TokenKind.PROXY).reveal()
    assert tokens.parse(change(text), kind=tokens.TokenKind.PROXY) is None


def test_a_token_of_one_kind_is_none_of_another():
    text = tokens.issue(tokens.TokenKind.CUSTOMER).reveal()
    assert tokens.parse(text, kind=tokens.TokenKind.OPERATOR) is None
