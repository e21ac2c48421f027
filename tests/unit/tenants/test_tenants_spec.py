"""A spec that could never become a working cell is refused before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import InvalidInputError
from clawstack.labels import REQUIRED
from clawstack.vocabulary import Desired
from tenants.spec import parse_spec
from tests.unit.tenants.builders import PLANTED, make_spec, spec_data


def test_a_complete_spec_is_accepted_and_compares_by_value() -> None:
    assert make_spec() == make_spec()
    assert make_spec().desired is Desired.RUNNING


def test_labels_carry_everything_that_policies_require() -> None:
    labels = make_spec().labels
    assert set(REQUIRED) <= set(labels)
    assert labels["clawstack.dev/bundle"] == "parenting-1.0"


def test_secrets_never_show_in_the_text_of_a_spec() -> None:
    text = repr(make_spec()) + str(make_spec())
    assert not [planted for planted in PLANTED if planted in text]


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"slug": "Not_A_Slug"}, "slug"),
    ({"slug": "a" * 41}, "at most 40"),
    ({"slug": "../../etc"}, "slug"),
    ({"port": 80}, "port"),
    ({"port": 70000}, "port"),
    ({"account": "root; rm -rf /"}, "account"),
    ({"models": {"primary": "gpt-5", "allowed": ["gpt-5-mini"]}}, "choose one of: gpt-5-mini"),
    ({"models": {"primary": "a", "allowed": []}}, "models.allowed"),
    ({"models": {"primary": "a/../b", "allowed": ["a/../b"]}}, "model id"),
    ({"bundle": {"name": "../parenting", "version": "1.0"}}, "bundle.name"),
    ({"bundle": {"name": "parenting", "version": "latest"}}, "bundle.version"),
    ({"endpoints": {"llm_base_url": "file:///etc/passwd", "telegram_api_root": "http://x"}}, "llm_base_url"),
    ({"endpoints": {"llm_base_url": "http://x", "telegram_api_root": "http://u:p@x/"}}, "telegram_api_root"),
    ({"endpoints": {"llm_base_url": "http://x/${HOME}", "telegram_api_root": "http://x"}}, "llm_base_url"),
    ({"backup_key": "c2hvcnQ="}, "32 bytes"),
    ({"unknown": 1}, "unknown"),
    ({"desired": "paused"}, "desired"),
]


@pytest.mark.parametrize(("changes", "names"), HOSTILE)
def test_an_impossible_spec_is_refused_with_a_reason(changes: dict[str, Any], names: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_spec(spec_data(**changes))
    assert names in caught.value.message
    assert caught.value.remedy


def test_refusals_never_tell_a_secret() -> None:
    data = spec_data()
    data["secrets"] = {**data["secrets"], "channel_token": "has a space and planted-word"}
    with pytest.raises(InvalidInputError) as caught:
        parse_spec(data)
    assert "planted-word" not in caught.value.sentence()


def test_two_cells_cannot_share_a_state_directory() -> None:
    data = spec_data()
    data["directories"] = {**data["directories"], "root": Path("/var/lib/clawstack/cells/other")}
    with pytest.raises(InvalidInputError, match="does not end in the slug"):
        parse_spec(data)


def test_a_supervisor_folder_too_long_for_a_socket_is_refused() -> None:
    data = spec_data()
    data["directories"] = {**data["directories"], "supervisor": Path("/var") / ("x" * 100)}
    with pytest.raises(InvalidInputError, match="shorter data directory"):
        parse_spec(data)
