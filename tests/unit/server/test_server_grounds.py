"""What the settings say about servers becomes the builder's settings, or one sentence that says what is wrong."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.settings import Settings
from services.cells.substrates.installation import installation_of
from tenants.substrates.server import SERVER, server_settings
from tests.unit.server.builders import PLANTED_API_TOKEN, settings_data
from toolchain.ground import pins

URL = "https://claw.example.org"


def given(**changes: Any) -> dict[str, Any]:
    data = {key: value for key, value in settings_data().items() if key not in {"token", "platform_url", "openclaw"}}
    return {**data, **changes}


def read(what: dict[str, Any], *, token: str | None = PLANTED_API_TOKEN, url: str = URL) -> Any:
    return server_settings(
        installation_of(
            Settings(
                _env_file=None,
                hcloud_token=token,
                hcloud_endpoint="https://api.example.org/v1",
                public_url=url,
                servers=what,
            )
        ),
        server_types={},
    )


def test_without_settings_there_are_no_servers() -> None:
    assert not SERVER.is_configured(Settings(_env_file=None, hcloud_token=PLANTED_API_TOKEN, servers={}))
    assert SERVER.is_configured(Settings(_env_file=None, servers=given()))


def test_machines_install_what_the_platform_itself_is_pinned_to() -> None:
    settings = read(given())
    assert settings.openclaw.version == pins.OPENCLAW
    assert settings.openclaw.lock_sha256 == hashlib.sha256(pins.OPENCLAW_PINS[1].read_bytes()).hexdigest()
    assert (settings.platform_url, settings.endpoint) == (URL, "https://api.example.org/v1")


@pytest.mark.parametrize(
    ("what", "token", "url", "words"),
    [
        (given(), None, URL, "CLAWSTACK_HCLOUD_TOKEN is not set"),
        (given(location="Nuremberg!"), PLANTED_API_TOKEN, URL, "location: "),
        (given(server_types={}), PLANTED_API_TOKEN, URL, "server_types: "),
        (given(), PLANTED_API_TOKEN, "http://claw.example.org", "platform_url: .* in the clear"),
        ({"location": "nbg1"}, PLANTED_API_TOKEN, URL, "server_types: Field required"),
    ],
)
def test_what_is_wrong_is_named_and_the_token_is_not(
    what: dict[str, Any], token: str | None, url: str, words: str
) -> None:
    with pytest.raises(NeedsAttentionError, match=words) as refused:
        read(what, token=token, url=url)
    assert refused.value.code == "bad_settings"
    assert PLANTED_API_TOKEN not in refused.value.sentence()
