"""What the settings say about servers, as the builder in `tenants.server` takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError

from clawstack.errors import NeedsAttentionError
from tenants.server.settings import ServerSettings
from toolchain import pins


def server_settings(
    *,
    token: SecretStr | None,
    endpoint: str,
    platform_url: str,
    given: Mapping[str, Any],
    server_types: Mapping[str, str] | None = None,
) -> ServerSettings | None:
    """The Hetzner project for server cells, None where nothing is `given` (CLAWSTACK_SERVERS).

    `server_types`: the catalogue's, by plan; those that are given take their place. Machines install the OpenClaw that the platform itself is pinned to. Raises NeedsAttentionError for settings that
    are not complete; it names the first mistake and never the token.
    """
    if not given:
        return None
    if token is None:
        raise _refusal("CLAWSTACK_HCLOUD_TOKEN is not set")
    lock = pins.OPENCLAW_PINS[1].read_bytes()
    openclaw = {"version": pins.OPENCLAW, "lock_sha256": hashlib.sha256(lock).hexdigest()}
    fixed = {"token": token, "endpoint": endpoint, "platform_url": platform_url}
    try:
        return ServerSettings.model_validate({"openclaw": openclaw, **_with_types(given, server_types), **fixed})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise _refusal(f"{'.'.join(map(str, first['loc']))}: {reason}") from None


def _with_types(given: Mapping[str, Any], server_types: Mapping[str, str] | None) -> dict[str, Any]:
    override = given.get("server_types")
    if not server_types or (override is not None and not (isinstance(override, Mapping) and override)):
        return dict(given)  # nothing to add to, or something to refuse
    return {**given, "server_types": {**server_types, **(override or {})}}


def _refusal(problem: str) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"CLAWSTACK_SERVERS does not describe a Hetzner project for cells: {problem}.",
        code="bad_settings",
        remedy='docs/operators.md, "Cells on servers", shows a complete one.',
    )
