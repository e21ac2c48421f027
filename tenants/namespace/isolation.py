"""The walls of a cell: its namespace, who may talk to whom, and how much it may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tenants.namespace.files import PORT
from tenants.namespace.settings import Destination, NamespaceSettings, Peer
from tenants.spec import Resources

Document = dict[str, Any]

DENY: Final = "default-deny"
RULES: Final = "gateway-rules"
QUOTA: Final = "quota"
LIMITS: Final = "limits"
_PSA: Final = "pod-security.kubernetes.io"
_DNS_PORT: Final = 53
_PODS: Final = 2
"""The gateway, and one more for a restore or a look inside."""
_SMALL: Final = {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
EPHEMERAL_LIMIT: Final = "1Gi"


def pod_security_labels() -> dict[str, str]:
    """Kubernetes' own judgement of pods, at its strictest, refusing, warning and recording."""
    return {f"{_PSA}/{mode}": "restricted" for mode in ("enforce", "warn", "audit")} | {
        f"{_PSA}/{mode}-version": "latest" for mode in ("enforce", "warn", "audit")
    }


def default_deny() -> Document:
    """Nothing in, nothing out, for every pod of the namespace that no other rule names."""
    return {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def gateway_rules(settings: NamespaceSettings, selector: Mapping[str, str], *, asks_names: bool) -> Document:
    """In: the platform, to the gateway's port. Out: LLM proxy, Telegram router. Nothing else (law 3).

    `asks_names`: and the cluster's name server, where the platform's addresses are not known (`known_names`).
    """
    callers = [settings.platform, *([settings.route.proxy] if settings.route else [])]
    dns = [{"port": _DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {
        "podSelector": {"matchLabels": dict(selector)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [entry for caller in callers for entry in _peers(caller)],
                "ports": [{"port": PORT, "protocol": "TCP"}],
            }
        ],
        "egress": [
            *([{"to": _peers(settings.dns), "ports": dns}] if asks_names else []),
            _outward(settings.proxy),
            *([_outward(settings.router)] if settings.router != settings.proxy else []),
        ],
    }


def _outward(destination: Destination) -> Document:
    return {
        "to": _peers(destination.peer),
        "ports": [{"port": port, "protocol": "TCP"} for port in destination.ports],
    }


def _peers(peer: Peer) -> list[Document]:
    if peer.namespace is None:
        return [{"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}} for address in peer.addresses]
    return [
        {
            # The API server sets this label itself; nobody can give a namespace somebody else's name.
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}},
            "podSelector": {"matchLabels": dict(peer.pods)},
        }
    ]


def quota(resources: Resources, requests: Mapping[str, str]) -> Document:
    """What the namespace may hold in total: the gateway and one small helper; nothing that reaches outside."""
    return {
        "hard": {
            "pods": str(_PODS),
            "requests.cpu": f"{2 * milli(requests['cpu'])}m",
            "requests.memory": f"{2 * int(requests['memory'].removesuffix('Mi'))}Mi",
            "limits.cpu": f"{2 * round(resources.cpu * 1000)}m",
            "limits.memory": f"{2 * resources.memory_mb}Mi",
            "limits.ephemeral-storage": "2Gi",
            "persistentvolumeclaims": "1",
            "requests.storage": f"{resources.disk_mb}Mi",
            "services": "1",
            "services.loadbalancers": "0",
            "services.nodeports": "0",
            "count/secrets": "8",
            "count/configmaps": "4",
        }
    }


def limit_range(resources: Resources) -> Document:
    """No container without limits, none larger than the plan, no claim larger than the plan's disk."""
    return {
        "limits": [
            {
                "type": "Container",
                "default": {**_SMALL, "ephemeral-storage": "256Mi"},
                "defaultRequest": dict(_SMALL),
                "max": {
                    "cpu": f"{round(resources.cpu * 1000)}m",
                    "memory": f"{resources.memory_mb}Mi",
                    "ephemeral-storage": EPHEMERAL_LIMIT,
                },
            },
            {"type": "PersistentVolumeClaim", "max": {"storage": f"{resources.disk_mb}Mi"}},
        ]
    }


def milli(cpu: str) -> int:
    """Thousandths of a core."""
    return int(cpu.removesuffix("m")) if cpu.endswith("m") else round(float(cpu) * 1000)
