"""What a namespace cell consists of: the rendered manifests, their meaning, and what must never be in them."""

from __future__ import annotations

import base64
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from clawstack.errors import InvalidInputError
from clawstack.labels import REQUIRED
from services.cells.substrates.namespace import fingerprints
from tenants.namespace.plan import NamespacePlan, build_plan
from tests.unit.namespace.builders import IMAGE, TODAY, cell, document, make_settings, plan_of, pod, settings_data
from tests.unit.tenants.builders import PLANTED, PLANTED_CHANNEL, PLANTED_KEY

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("plan", ["starter", "pro", "business"])
def test_manifests_are_those_that_were_reviewed(plan: str) -> None:
    """`REWRITE_GOLDEN=1 pytest ...` writes them anew; read the difference before it is committed."""
    rendered = yaml.safe_dump_all(plan_of(cell(plan)).documents(), sort_keys=False, width=120)
    file = GOLDEN / f"{plan}.yaml"
    if os.environ.get("REWRITE_GOLDEN") == "1":
        file.write_text(rendered)
    assert rendered == file.read_text()


def test_equal_inputs_give_equal_plans_and_documents_are_copies() -> None:
    first, second = plan_of(), plan_of()
    assert first == second
    first.documents()[0]["metadata"]["labels"].clear()
    assert first == second


def test_every_object_is_labelled_and_lives_in_the_cells_namespace() -> None:
    plan = plan_of()
    first, *others = plan.documents()
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", "cell-emma-parent-x7k2mq")
    for entry in (first, *others):
        assert set(REQUIRED) <= set(entry["metadata"]["labels"])
    for entry in others:
        assert entry["metadata"]["namespace"] == plan.namespace
        assert entry["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    assert "annotations" not in first["metadata"], "the end of the namespace is waited for"
    assert len({manifest.name for manifest in plan.manifests}) == len(plan.manifests)


def test_walls_come_before_anything_that_runs() -> None:
    kinds = [entry["kind"] for entry in plan_of().documents()]
    assert kinds.index("StatefulSet") > max(index for index, kind in enumerate(kinds) if kind == "NetworkPolicy")
    assert kinds.index("StatefulSet") > kinds.index("ResourceQuota")


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    labels = document(plan_of(), "Namespace")["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}


def test_the_pod_meets_the_restricted_standard() -> None:
    spec = pod(plan_of())
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec)
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["image"] == IMAGE
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
        assert not [port for port in container.get("ports", []) if "hostPort" in port]
    allowed = {"persistentVolumeClaim", "configMap", "secret", "emptyDir"}
    assert all(set(volume) - {"name"} <= allowed for volume in spec["volumes"])


@pytest.mark.parametrize("plan", ["starter", "pro", "business"])
def test_nodes_heap_leaves_a_quarter_of_the_limit_free(plan: str) -> None:
    gateway = pod(plan_of(cell(plan)))["containers"][0]
    variables = {entry["name"]: entry["value"] for entry in gateway["env"]}
    heap = re.search(r"--max-old-space-size=(\d+)", variables["NODE_OPTIONS"])
    assert heap is not None
    assert int(heap[1]) <= 0.75 * int(gateway["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert variables["MALLOC_ARENA_MAX"] == "2"


def test_probes_ask_what_they_should() -> None:
    gateway = pod(plan_of())["containers"][0]
    for probe in ("startupProbe", "readinessProbe"):
        [node, flag, script] = gateway[probe]["exec"]["command"]
        assert (node, flag) == ("/usr/local/bin/node", "-e")
        assert "/startupz" in script
        assert "b.ok===true" in script
        assert "b.status==='started'" in script
    assert gateway["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    startup = gateway["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > 300, "a gateway may wait 5 min for its state"
    assert pod(plan_of())["terminationGracePeriodSeconds"] == 330


def test_a_state_directory_has_one_owner_or_none() -> None:
    assert document(plan_of(), "StatefulSet")["spec"]["replicas"] == 1
    asleep = plan_of(cell(desired="suspended"))
    assert document(asleep, "StatefulSet")["spec"]["replicas"] == 0
    assert document(asleep, "PersistentVolumeClaim") == document(plan_of(), "PersistentVolumeClaim")


def test_secrets_are_in_secrets_only() -> None:
    plan = plan_of()
    for manifest in plan.manifests:
        text = json.dumps(manifest.document())
        found = [word for word in PLANTED if word in text or base64.b64encode(word.encode()).decode() in text]
        if manifest.name == "secret-tokens":
            assert len(found) == 3
            assert manifest.secret == {"data"}
        else:
            assert not found
    assert PLANTED_KEY not in json.dumps(plan.documents()), "the backup key never enters a cluster"
    assert PLANTED_CHANNEL not in repr(plan)
    assert "planted" not in repr(make_settings())
    assert "Emma" not in json.dumps([entry for entry in plan.documents() if entry["kind"] != "Secret"])


def test_the_gateways_file_includes_the_mounted_configuration() -> None:
    data = document(plan_of(), "ConfigMap")["data"]
    config = json.loads(data["openclaw.json"])
    assert json.loads(data["root.json"]) == {"$include": "/etc/clawstack/config/openclaw.json"}
    assert config["gateway"]["bind"] == "lan"
    assert config["gateway"]["port"] == 18789
    assert config["gateway"]["controlUi"] == {"enabled": False}
    assert config["channels"]["telegram"]["apiRoot"] == "http://telegram-router.clawstack.svc:8081/telegram"
    assert config["logging"]["file"] == "/cell/emma-parent-x7k2mq/state/logs/openclaw.log"
    variables = {entry["name"]: entry["value"] for entry in pod(plan_of())["containers"][0]["env"]}
    assert variables["OPENCLAW_INCLUDE_ROOTS"] == "/etc/clawstack/config"
    assert variables["OPENCLAW_STATE_DIR"] == "/cell/emma-parent-x7k2mq/state"
    assert variables["PATH"].startswith("/usr/local/bin:")


def template(plan: NamespacePlan) -> Any:
    return document(plan, "StatefulSet")["spec"]["template"]


def test_what_the_gateway_can_take_over_leaves_the_pod_alone() -> None:
    models = {"primary": "gpt-5", "allowed": ["gpt-5"]}
    changed = plan_of(cell(models=models))
    assert document(changed, "ConfigMap") != document(plan_of(), "ConfigMap")
    assert template(changed) == template(plan_of())
    older = build_plan(cell(), make_settings(), today=TODAY + timedelta(days=40))
    assert document(older, "Secret", "workspace") != document(plan_of(), "Secret", "workspace")
    assert template(older) == template(plan_of())
    renamed_plan = cell(plan="starter", resources=cell().resources.model_dump())
    data = renamed_plan.model_copy(update={"plan": "pro"})
    assert template(plan_of(data, priority_classes={})) == template(plan_of(priority_classes={}))


@pytest.mark.parametrize(
    "change",
    [
        {"restart_nonce": "again"},
        {"answers": {"child_name": "Ada", "child_birthday": "2025-09-14"}},
        {"bundle": {"name": "general", "version": "1.0"}, "answers": {}},
        {"secrets": {**cell().secrets.model_dump(), "channel_token": "csc_another-token-0002"}},
    ],
)
def test_what_the_gateway_cannot_take_over_replaces_the_pod(change: dict[str, Any]) -> None:
    assert template(plan_of(cell(**change))) != template(plan_of())


def test_quota_holds_one_gateway_and_nothing_that_reaches_outside() -> None:
    hard = document(plan_of(), "ResourceQuota")["spec"]["hard"]
    assert hard["services.loadbalancers"] == "0"
    assert hard["services.nodeports"] == "0"
    assert hard["persistentvolumeclaims"] == "1"
    assert hard["limits.memory"] == "3072Mi"
    limits = document(plan_of(), "LimitRange")["spec"]["limits"]
    assert limits[0]["max"]["memory"] == "1536Mi"


def test_optional_parts_appear_only_where_the_settings_name_them() -> None:
    plain = pod(plan_of(priority_classes={}))
    assert "runtimeClassName" not in plain
    assert "priorityClassName" not in plain
    assert "storageClassName" not in document(plan_of(storage_class=None), "PersistentVolumeClaim")["spec"]
    assert pod(plan_of(runtime_class="gvisor"))["runtimeClassName"] == "gvisor"
    assert pod(plan_of(cell("pro")))["priorityClassName"] == "clawstack-pro"
    assert "HTTPRoute" not in {entry["kind"] for entry in plan_of().documents()}


def test_a_route_opens_the_control_ui_under_the_cells_own_name() -> None:
    route = {
        "gateway": "public",
        "gateway_namespace": "ingress",
        "section": "https",
        "domain": "cells.example.org",
        "proxy": {"namespace": "ingress", "pods": {"app": "envoy"}},
    }
    plan = plan_of(route=route)
    spec = document(plan, "HTTPRoute")["spec"]
    assert spec["hostnames"] == ["emma-parent-x7k2mq.cells.example.org"]
    assert spec["parentRefs"] == [{"name": "public", "namespace": "ingress", "sectionName": "https"}]
    control = json.loads(document(plan, "ConfigMap")["data"]["openclaw.json"])["gateway"]["controlUi"]
    assert control == {"enabled": True, "allowedOrigins": ["https://emma-parent-x7k2mq.cells.example.org"]}


@pytest.mark.parametrize(
    ("endpoints", "settings", "words"),
    [
        ({"llm_base_url": "http://127.0.0.1:8080/llm/v1"}, {}, "the pod itself"),
        ({"telegram_api_root": "http://localhost:8080/telegram"}, {}, "Telegram router"),
        (
            {"llm_base_url": "http://10.0.0.9:8080/llm/v1"},
            {"proxy": {"peer": {"addresses": ["10.0.0.8"]}, "ports": [8080]}},
            "open only 10.0.0.8:8080",
        ),
        (
            {"llm_base_url": "http://10.0.0.8/llm/v1"},
            {"proxy": {"peer": {"addresses": ["10.0.0.8"]}, "ports": [8080]}},
            "10.0.0.8:80,",
        ),
    ],
)
def test_a_platform_that_a_pod_cannot_reach_is_refused(
    endpoints: dict[str, str], settings: dict[str, Any], words: str
) -> None:
    spec = cell(endpoints={**cell().endpoints.model_dump(), **endpoints})
    with pytest.raises(InvalidInputError) as refused:
        plan_of(spec, **settings)
    assert words in refused.value.message
    assert refused.value.remedy


PEER = {"namespace": "clawstack", "pods": {"app": "x"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": "ghcr.io/openclaw/openclaw:2026.9.6"}, "image"),
        ({"image": "ghcr.io/openclaw/openclaw@sha256:" + "ab" * 32}, "image"),
        ({"image": "ghcr.io/openclaw/openclaw:latest"}, "image"),
        ({"platform": {}}, "either a namespace"),
        ({"platform": {**PEER, "addresses": ["10.0.0.1"]}}, "either a namespace"),
        ({"platform": {"namespace": "clawstack"}}, "too wide"),
        ({"platform": {"addresses": ["10.0.0.0/8"]}}, "single IP address"),
        ({"platform": {"addresses": ["169.254.169.254"]}}, "metadata"),
        ({"platform": {"addresses": ["127.0.0.1"]}}, "loopback"),
        ({"platform": {"addresses": ["0.0.0.0"]}}, "unspecified"),
        ({"platform": {"namespace": "cell-anna", "pods": {"a": "b"}}}, "tenant's namespace"),
        ({"proxy": {"peer": PEER, "ports": []}}, "proxy.ports"),
        ({"cluster": "Not A Name"}, "cluster"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_open_more_than_the_platform_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make_settings(**changes)
    assert words in str(refused.value)
    assert "planted" not in str(refused.value)


def test_settings_need_every_peer() -> None:
    for name in ("proxy", "router", "platform", "kubeconfig", "image", "cluster"):
        data = {key: value for key, value in settings_data().items() if key != name}
        with pytest.raises(ValidationError):
            type(make_settings()).model_validate(data)


def test_drift_is_looked_for_in_every_object_of_a_cell() -> None:
    plan = plan_of()
    rendered = {
        f"{each.kind}/{each.document()['metadata']['name']}" for each in plan.manifests if each.kind != "Namespace"
    }
    assert fingerprints.names() == {each for each in rendered if not each.startswith("HTTPRoute/")}
