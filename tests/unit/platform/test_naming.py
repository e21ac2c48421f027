"""Slugs are always valid, whatever they are made from, and every other name derives from them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstack import naming
from clawstack.errors import InvalidInputError


@given(st.text(max_size=300))
def test_any_text_gives_a_valid_slug(text):
    slug = naming.suggest_slug(text)
    assert naming.is_slug(slug)
    assert re.fullmatch(r"[a-z0-9-]+", naming.stack_name(slug))
    assert len(naming.account_name(slug)) <= 32


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Emma's Parents", "emma-s-parents-abc234"),
        ("José García", "jose-garcia-abc234"),
        ("", "tenant-abc234"),
        ("日本", "tenant-abc234"),
        ("---", "tenant-abc234"),
        ("x" * 200, "x" * 33 + "-abc234"),
        ("../../etc/passwd", "etc-passwd-abc234"),
        ("a" * 32 + "-b", "a" * 32 + "-abc234"),
    ],
)
def test_hostile_texts(text, slug):
    assert naming.suggest_slug(text, suffix="abc234") == slug


@pytest.mark.parametrize(
    "value", ["", "-a", "a-", "A", "a_b", "a%b", "a.b", "ä", "a" * 41, "a b", "a\n", "../a", "a/b", "\u0430"]
)
def test_what_is_no_slug_is_refused_with_the_rule(value):
    assert not naming.is_slug(value)
    with pytest.raises(InvalidInputError, match="not a valid slug") as caught:
        naming.namespace_name(value)
    assert "at most 40 characters" in caught.value.sentence()


def test_two_suggestions_for_one_text_differ():
    assert len({naming.suggest_slug("anna") for _ in range(200)}) == 200
