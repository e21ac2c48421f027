"""Whether a pod can do without name servers: a question to one carries data out, past every other rule.

It can where the installation says at which addresses the platform is; its names then stand in the pod's own hosts file.
A Service's address is not known before it is made, so cells that find the platform by Services go on asking the cluster's
name server, and nobody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tenants.namespace.settings import Destination, NamespaceSettings
from tenants.spec import CellSpec

_PORTS: Final = {"http": 80, "https": 443}


def known_names(spec: CellSpec, settings: NamespaceSettings) -> Mapping[str, tuple[str, ...]] | None:
    """The platform's names by address, none where the pod is given addresses; None where it must ask a name server."""
    found: dict[str, set[str]] = {}
    for url, place in (
        (spec.endpoints.llm_base_url, settings.proxy),
        (spec.endpoints.telegram_api_root, settings.router),
    ):
        addresses = _addresses(url, place)
        if addresses is None:
            return None
        for address in addresses:
            found.setdefault(address, set()).add(str(urlsplit(url).hostname))
    return {address: tuple(sorted(names)) for address, names in sorted(found.items())}


def name_service(spec: CellSpec, settings: NamespaceSettings) -> dict[str, Any]:
    """That part of the pod's specification; empty where it uses the cluster's."""
    known = known_names(spec, settings)
    if known is None:
        return {}
    aliases = [{"ip": address, "hostnames": list(names)} for address, names in known.items()]
    # Kubernetes asks for one name server at least. Nobody listens there.
    nobody: dict[str, Any] = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    return {**nobody, "hostAliases": aliases} if aliases else nobody


def _addresses(url: str, place: Destination) -> tuple[str, ...] | None:
    """Where the URL's host is: () for an address; None for a name of which only a name server knows."""
    parts = urlsplit(url)
    host = str(parts.hostname)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # Rules see a connection after a Service was translated: another port means that the name leads to a Service.
        direct = (parts.port or _PORTS[parts.scheme]) in place.ports and "." in host and ".svc" not in host
        return place.peer.addresses if place.peer.addresses and direct else None
    return ()
