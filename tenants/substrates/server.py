"""Cells on Hetzner servers of their own, and what the settings say about the project that holds these."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from clawstack.errors import NeedsAttentionError
from tenants.server import NAME
from tenants.substrates.substrate import Installation, Substrate

if TYPE_CHECKING:
    from clawstack.settings import Settings
    from tenants.builder import SubstrateBuilder
    from tenants.server.settings import ServerSettings


class Servers(Substrate):
    """The `server` substrate."""

    name = NAME
    plugins = ("hcloud",)
    remedy = "To use servers, set CLAWSTACK_SERVERS and CLAWSTACK_HCLOUD_TOKEN."

    @override
    def is_configured(self, settings: Settings) -> bool:
        return bool(settings.servers)

    @override
    def builder(self, installation: Installation) -> SubstrateBuilder[Any]:
        from tenants.server.component import ServerBuilder  # late: most cells need no SDK of Hetzner's

        return ServerBuilder(server_settings(installation))

    @override
    def platform_url(self, settings: Settings) -> str:
        return settings.base_url()


SERVER: Final = Servers()


def server_settings(installation: Installation, *, server_types: Mapping[str, str] | None = None) -> ServerSettings:
    """The Hetzner project for server cells. Machines install the OpenClaw that the platform itself is pinned to.

    `server_types`: by plan, the catalogue's if None; those that CLAWSTACK_SERVERS names take their place.

    Raises NeedsAttentionError for settings that are not complete; it names the first mistake and never the token.
    """
    from pydantic import ValidationError  # late: commands only want the names

    from clawstack.plans import load_catalogue
    from tenants.server.settings import ServerSettings

    if server_types is None:
        server_types = load_catalogue().server_types()
    settings = installation.settings
    if settings.hcloud_token is None:
        raise _refusal("CLAWSTACK_HCLOUD_TOKEN is not set")
    lock = hashlib.sha256(installation.openclaw_lock.read_bytes()).hexdigest()
    fixed = {
        "token": settings.hcloud_token,
        "endpoint": settings.hcloud_endpoint,
        "platform_url": SERVER.platform_url(settings),
    }
    openclaw = {"version": installation.openclaw_version, "lock_sha256": lock}
    try:
        return ServerSettings.model_validate(
            {"openclaw": openclaw, **_with_types(settings.servers, server_types), **fixed}
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise _refusal(f"{'.'.join(map(str, first['loc']))}: {reason}") from None


def _with_types(given: Mapping[str, Any], server_types: Mapping[str, str]) -> dict[str, Any]:
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
