"""One list of shapes: every token that the product makes is known to its maker, the redactor and the policy pack."""

from __future__ import annotations

import pytest

from clawstack.redaction import Redactor
from clawstack.tokens import TokenKind, issue, parse
from clawstack_policies.secrets import looks_secret


@pytest.mark.parametrize("kind", TokenKind)
def test_every_token_is_known_to_all_three(kind):
    token = issue(kind)
    text = token.reveal()
    assert parse(text, kind=kind) == token
    assert Redactor().text(f"x {text} y") == f"x {kind.value}_{token.key}_[secret] y"
    assert looks_secret(f"x {text} y")
