"""Who may talk to whom: nothing in, nothing out, and then what each role needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from clawstack.addons.base.model import Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import AddonsSettings, ExternalDatabase
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.addons.charts import database, ingress, monitoring
from clawstack.addons.workloads.pods import PORT, selector
from clawstack.labels import IN_NAMESPACES, SUBSTRATE

Document = dict[str, Any]

CELL_PORT: Final = 18789
"""OpenClaw's own."""
CELLS: Final = {SUBSTRATE: IN_NAMESPACES}
"""Namespaces of cells carry it, and nobody but the worker makes those."""
GATEWAYS: Final = {"app.kubernetes.io/name": "openclaw"}
#: Networks that are not the internet: pods, nodes, metadata service.
_INSIDE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
_NAME: Final = "kubernetes.io/metadata.name"


def policies(objects: Objects, settings: AddonsSettings, own: Workloads) -> Iterator[Manifest]:
    """Rules for every pod of the namespace."""
    yield _policy(objects, own, "default-deny", {}, both=True)
    yield _policy(objects, own, "names", {}, outward=[_dns()])
    for role in WorkloadRole:
        yield _policy(
            objects,
            own,
            f"allow-{role.value}",
            selector(role),
            inward=[_in(peer) for peer in _callers(settings, own, role)],
            outward=[_to_database(settings), *_called(own, role)],
        )
    if own.host is not None:
        yield _solver(objects, own)
    if settings.database is not None and not isinstance(settings.database, ExternalDatabase):
        yield _database(objects, own)


def _callers(settings: AddonsSettings, own: Workloads, role: WorkloadRole) -> list[Document]:
    callers = []
    if settings.monitoring is not None:
        callers.append(_pods(monitoring.NAMESPACE, monitoring.POD_LABELS))
    if own.host is not None and role in {WorkloadRole.API, WorkloadRole.ROUTER}:
        callers.append(_pods(ingress.NAMESPACE, ingress.POD_LABELS))
    if role in {WorkloadRole.PROXY, WorkloadRole.ROUTER}:
        callers.append({"namespaceSelector": {"matchLabels": CELLS}, "podSelector": {"matchLabels": GATEWAYS}})
    return callers


def _called(own: Workloads, role: WorkloadRole) -> list[Document]:
    """Besides the database: vendors, Stripe, Telegram, Hetzner, object storage on the internet."""
    internet = _out([{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_INSIDE)}}], 443)
    if role is not WorkloadRole.WORKER:
        return [internet]
    api = _out([_host(address) for address in own.kubernetes_api], own.kubernetes_api_port)
    cells = {"namespaceSelector": {"matchLabels": CELLS}, "podSelector": {"matchLabels": GATEWAYS}}
    return [internet, api, _out([cells], CELL_PORT)]


def _to_database(settings: AddonsSettings) -> Document:
    own = settings.database
    if isinstance(own, ExternalDatabase):
        return _out([_host(address) for address in own.addresses], own.port)
    return _out([{"podSelector": {"matchLabels": dict(database.POD_LABELS)}}], database.PORT)


def _database(objects: Objects, own: Workloads) -> Manifest:
    """Clients and replicas, the operator; outward to replicas, the Kubernetes API and object storage."""
    itself = {"podSelector": {"matchLabels": dict(database.POD_LABELS)}}
    roles = [{"podSelector": {"matchLabels": selector(role)}} for role in WorkloadRole]
    operator = _pods(database.NAMESPACE, database.OPERATOR_LABELS)
    prometheus = _pods(monitoring.NAMESPACE, monitoring.POD_LABELS)
    return _policy(
        objects,
        own,
        "allow-database",
        database.POD_LABELS,
        inward=[
            {"from": [*roles, itself, operator], "ports": [_port(database.PORT)]},
            {"from": [operator, itself], "ports": [_port(database.STATUS_PORT)]},
            {"from": [prometheus], "ports": [_port(database.METRICS_PORT)]},
        ],
        outward=[
            {"to": [itself], "ports": [_port(database.PORT), _port(database.STATUS_PORT)]},
            _out([_host(address) for address in own.kubernetes_api], own.kubernetes_api_port),
            _out([{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_INSIDE)}}], 443),
        ],
    )


def _solver(objects: Objects, own: Workloads) -> Manifest:
    """cert-manager answers Let's Encrypt's question from a pod beside the Ingress (cert-manager documentation, HTTP01)."""
    traefik = _pods(ingress.NAMESPACE, ingress.POD_LABELS)
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    return _policy(objects, own, "allow-certificates", solver, inward=[{"from": [traefik], "ports": [_port(8089)]}])


def _policy(
    objects: Objects,
    own: Workloads,
    name: str,
    pods: Mapping[str, str],
    *,
    inward: Sequence[Document] = (),
    outward: Sequence[Document] = (),
    both: bool = False,
) -> Manifest:
    types = [*(["Ingress"] if inward or both else []), *(["Egress"] if outward or both else [])]
    spec: Document = {"podSelector": {"matchLabels": dict(pods)} if pods else {}, "policyTypes": types}
    if inward:
        spec["ingress"] = list(inward)
    if outward:
        spec["egress"] = list(outward)
    return objects.object("networking.k8s.io/v1", "NetworkPolicy", name, own.namespace, spec=spec)


def _pods(namespace: str, labels: Mapping[str, str]) -> Document:
    return {
        "namespaceSelector": {"matchLabels": {_NAME: namespace}},
        "podSelector": {"matchLabels": dict(labels)},
    }


def _host(address: str) -> Document:
    return {"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}}


def _in(peer: Document) -> Document:
    return {"from": [peer], "ports": [_port(PORT)]}


def _out(peers: list[Document], port: int) -> Document:
    return {"to": peers, "ports": [_port(port)]}


def _dns() -> Document:
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {"to": [_pods("kube-system", {"k8s-app": "kube-dns"})], "ports": ports}


def _port(number: int) -> Document:
    return {"port": number, "protocol": "TCP"}
