"""The administrator's kubeconfig: one context per control plane, the first one chosen."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import yaml

from clawstack.cluster.pki import KeyPair

API_PORT: Final = 6443
#: In every server certificate that K3s signs, whatever the node's addresses are.
_NAME_IN_CERTIFICATE: Final = "kubernetes"


def kubeconfig(*, cluster: str, addresses: Sequence[str], server_authority: str, administrator: KeyPair) -> str:
    """YAML with certificates inside; `addresses` are those of the control planes, in order."""
    contexts = [cluster if place == 1 else f"{cluster}-{place}" for place in range(1, len(addresses) + 1)]
    entries = zip(contexts, addresses, strict=True)
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {
                    "server": f"https://{_host(address)}:{API_PORT}",
                    "tls-server-name": _NAME_IN_CERTIFICATE,
                    "certificate-authority-data": _base64(server_authority),
                },
            }
            for context, address in entries
        ],
        "users": [
            {
                "name": f"{cluster}-administrator",
                "user": {
                    "client-certificate-data": _base64(administrator.certificate),
                    "client-key-data": _base64(administrator.key),
                },
            }
        ],
        "contexts": [
            {"name": context, "context": {"cluster": context, "user": f"{cluster}-administrator"}}
            for context in contexts
        ],
        "current-context": contexts[0],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
