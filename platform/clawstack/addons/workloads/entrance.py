"""How the world reaches the platform: one host, Telegram's webhooks to the router, everything else to the api."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from clawstack.addons.base.model import Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.addons.charts.certificates import ISSUER
from clawstack.addons.workloads.pods import NAME, PORT, name_of

Document = dict[str, Any]

_TELEGRAM: Final = "/webhooks/telegram"
#: `/metrics`, `/llm` and `/telegram` are for the cluster alone: the api does not serve the last two, and this keeps the
#: first from the world.
_CLOSED: Final = ("/metrics",)


def entrance(objects: Objects, own: Workloads) -> Iterator[Manifest]:
    """Nothing where there is no host."""
    if own.host is None:
        return
    yield objects.object(
        "traefik.io/v1alpha1",
        "Middleware",
        "closed",
        own.namespace,
        spec={"ipAllowList": {"sourceRange": ["127.0.0.1/32"]}},
    )
    yield _ingress(objects, own, NAME, [_path("/", WorkloadRole.API), _path(_TELEGRAM, WorkloadRole.ROUTER)])
    closed = f"{own.namespace}-closed@kubernetescrd"
    annotations = {"traefik.ingress.kubernetes.io/router.middlewares": closed}
    yield _ingress(objects, own, f"{NAME}-closed", [_path(path, WorkloadRole.API) for path in _CLOSED], annotations)


def _ingress(
    objects: Objects, own: Workloads, name: str, paths: list[Document], annotations: dict[str, str] | None = None
) -> Manifest:
    spec = {
        "ingressClassName": "traefik",
        "tls": [{"hosts": [own.host], "secretName": f"{NAME}-tls"}],
        "rules": [{"host": own.host, "http": {"paths": paths}}],
    }
    # One of them asks for the certificate, both use it.
    issued = {} if annotations else {"cert-manager.io/cluster-issuer": ISSUER}
    return objects.object(
        "networking.k8s.io/v1", "Ingress", name, own.namespace, annotations={**issued, **(annotations or {})}, spec=spec
    )


def _path(path: str, role: WorkloadRole) -> Document:
    backend = {"service": {"name": name_of(role), "port": {"number": PORT}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}
