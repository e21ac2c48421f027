"""What Hetzner refuses a driver means the same as what it refuses a plugin."""

from __future__ import annotations

import pytest
import requests
from hcloud import APIException
from hcloud.actions import Action, ActionFailedException, ActionTimeoutException

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.hetzner_refusals import refused
from services.cells.engine import official
from services.cells.substrates.server.hetzner import converted


def failed(code):
    action = Action(id=7, command="create_image", error={"code": code, "message": "It is so", "details": {}})
    return ActionFailedException(action)


@pytest.mark.parametrize(
    ("code", "kind", "retry"),
    [
        ("unauthorized", NeedsAttentionError, None),
        ("forbidden", NeedsAttentionError, None),
        ("token_readonly", NeedsAttentionError, None),
        ("resource_limit_exceeded", NeedsAttentionError, None),
        ("protected", NeedsAttentionError, None),
        ("invalid_input", NeedsAttentionError, None),
        ("uniqueness_error", NeedsAttentionError, None),
        ("rate_limit_exceeded", TemporaryError, 60),
        ("locked", TemporaryError, 30),
        ("resource_unavailable", TemporaryError, 900),
    ],
)
def test_a_refusal_is_what_the_one_table_says_whichever_way_it_comes(code, kind, retry):
    told = f"server: It is so ({code}, 5f1c0a)"
    ways = [converted(APIException(code, "It is so.", None)), converted(failed(code)), official.meaning(told, told)]
    for found in ways:
        assert (type(found), found.code) == (kind, f"hetzner_{code}")
        assert getattr(found, "retry_after", None) == retry
        assert found.remedy == refused(code, "").remedy
        assert f"({code}" in found.sentence()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        # A driver acts on what it has just seen: what is not found any more is gone by the next look.
        (APIException("not_found", "image not found", None), "hetzner_failed", "image not found"),
        (APIException("brand_new_error", "It is so", None), "hetzner_failed", "It is so (brand_new_error)"),
        (failed("action_failed"), "hetzner_failed", "could not finish"),
        (ActionTimeoutException(Action(id=7, command="create_image")), "hetzner_failed", "timed out (create_image, 7)"),
        (requests.ConnectionError("no route"), "hetzner_unreachable", "does not answer: no route"),
    ],
)
def test_what_the_table_does_not_know_is_tried_again(error, code, words):
    found = converted(error)
    assert (type(found), found.code, found.retry_after) == (TemporaryError, code, 15)
    assert words in found.sentence()
