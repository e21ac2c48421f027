"""Settings of a made-up cluster and specs of cells on it."""

from __future__ import annotations

from datetime import date
from typing import Any

from clawstack.plans import load_catalogue
from tenants.namespace.plan import NamespacePlan, build_plan
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec
from tests.unit.tenants.builders import make_spec

TODAY = date(2026, 11, 21)
PLANTED_KUBECONFIG = "kind: Config # planted-kubeconfig"
IMAGE = "ghcr.io/openclaw/openclaw:2026.9.6@sha256:" + "ab" * 32


def settings_data(**changes: Any) -> dict[str, Any]:
    platform = {"namespace": "clawstack", "pods": {"app.kubernetes.io/name": "clawstack"}}
    data = {
        "cluster": "test-1",
        "kubeconfig": PLANTED_KUBECONFIG,
        "image": IMAGE,
        "storage_class": "local-path",
        "proxy": {"peer": {**platform, "pods": {"app": "llm-proxy"}}, "ports": [8080]},
        "router": {"peer": {**platform, "pods": {"app": "telegram-router"}}, "ports": [8081]},
        "platform": platform,
        "priority_classes": {plan: f"clawstack-{plan}" for plan in ("starter", "pro", "business")},
    }
    return {**data, **changes}


def make_settings(**changes: Any) -> NamespaceSettings:
    return NamespaceSettings.model_validate(settings_data(**changes))


def cell(plan: str = "starter", **changes: Any) -> CellSpec:
    bought = load_catalogue().plan(plan)
    defaults: dict[str, Any] = {
        "plan": plan,
        "substrate": "namespace",
        "models": {"primary": bought.models[0], "allowed": list(bought.models)},
        "resources": bought.resources.model_dump(),
        "endpoints": {
            "llm_base_url": "http://llm-proxy.clawstack.svc:8080/llm/v1",
            "telegram_api_root": "http://telegram-router.clawstack.svc:8081/telegram",
        },
    }
    return make_spec(**{**defaults, **changes})


def plan_of(spec: CellSpec | None = None, **settings: Any) -> NamespacePlan:
    return build_plan(spec or cell(), make_settings(**settings), today=TODAY)


def document(plan: NamespacePlan, kind: str, name: str | None = None) -> dict[str, Any]:
    """The one object of this kind (and name)."""
    [found] = [
        entry
        for entry in plan.documents()
        if entry["kind"] == kind and (name is None or entry["metadata"]["name"] == name)
    ]
    return found


def pod(plan: NamespacePlan) -> dict[str, Any]:
    spec: dict[str, Any] = document(plan, "StatefulSet")["spec"]["template"]["spec"]
    return spec
