"""What the settings say about the places where cells may run, as the builders in `tenants` take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from clawstack.errors import NeedsAttentionError
from clawstack.settings import Settings

if TYPE_CHECKING:
    from tenants.namespace.settings import NamespaceSettings
    from tenants.server.settings import ServerSettings


def namespace_settings(settings: Settings) -> NamespaceSettings | None:
    """The cluster for namespace cells, None where none is configured.

    Raises NeedsAttentionError when CLAWSTACK_KUBECONFIG cannot be read or CLAWSTACK_CLUSTER is not complete.
    """
    if settings.kubeconfig is None:
        return None
    from tenants.namespace.settings import NamespaceSettings  # late: most processes need no cluster

    try:
        kubeconfig = settings.kubeconfig.read_text(encoding="utf-8")
    except OSError as error:
        raise NeedsAttentionError(
            f"CLAWSTACK_KUBECONFIG names {settings.kubeconfig}, which cannot be read: {error.strerror}.",
            code="bad_settings",
            remedy="Name a kubeconfig that this account may read.",
        ) from error
    try:
        return NamespaceSettings.model_validate({"kubeconfig": SecretStr(kubeconfig), **settings.cluster})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)]
        raise NeedsAttentionError(
            f"CLAWSTACK_CLUSTER does not describe a cluster: {'; '.join(lines)}.",
            code="bad_settings",
            remedy='docs/operators.md, "Cells in namespaces", shows a complete one.',
        ) from None


def server_settings(settings: Settings) -> ServerSettings | None:
    """The Hetzner project for server cells, None where none is configured.

    Raises NeedsAttentionError when CLAWSTACK_SERVERS is not complete or the token is missing.
    """
    if not settings.servers:
        return None
    from clawstack.plans import load_catalogue  # late, as above
    from services.cells.substrates.server.grounds import server_settings as read

    return read(
        token=settings.hcloud_token,
        endpoint=settings.hcloud_endpoint,
        platform_url=platform_url(settings, "server"),
        given=settings.servers,
        server_types=load_catalogue().server_types(),
    )


def router_url(settings: Settings, substrate: str) -> str:
    """Root under which cells of a substrate reach `/telegram`."""
    apart = settings.cluster_router_url if substrate == "namespace" else None
    return apart or platform_url(settings, substrate)


def platform_url(settings: Settings, substrate: str) -> str:
    """Root under which cells of a substrate reach `/llm`, and `/telegram` unless the router is elsewhere."""
    match substrate:
        case "namespace":
            return settings.cluster_platform_url or settings.base_url()
        case "server":
            return settings.base_url()
        case _:
            return settings.platform_url_for_cells()
