"""OpenClaw's files of a cell: golden configurations, the facts in USER.md, the environment."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from clawstack.plans import load_catalogue
from tenants.bundles import list_bundles, load_bundle
from tenants.openclaw import build_config, build_workspace, environment
from tenants.openclaw.environment import SECRET_NAMES, heap_mb
from tenants.openclaw.workspace import USER_LIMIT, age_in_words
from tenants.spec import CellSpec
from tests.unit.tenants.builders import PLANTED, make_spec
from tests.unit.tenants.test_tenants_bundles import HOSTILE

GOLDEN = Path(__file__).with_name("golden")
TODAY = date(2026, 11, 21)
CATALOGUE = load_catalogue()
CASES = [(plan, bundle.name) for plan in CATALOGUE.plans for bundle in list_bundles()]


def spec_of(plan_key: str, bundle_name: str) -> CellSpec:
    """A cell of a plan of the catalogue."""
    plan, bundle = CATALOGUE.plan(plan_key), load_bundle(bundle_name)
    limits = {
        name: {"context_window": CATALOGUE.models[name].context_window, "max_output": CATALOGUE.models[name].max_output}
        for name in plan.models
    }
    return make_spec(
        plan=plan.key,
        bundle=bundle.ref.model_dump(),
        answers={"child_name": "Emma", "child_birthday": "2025-09-14"} if bundle_name == "parenting" else {},
        models={"primary": plan.models[0], "allowed": list(plan.models), "limits": limits},
        resources=plan.resources.model_dump(),
    )


@pytest.mark.parametrize(("plan", "bundle"), CASES)
def test_the_configuration_is_the_golden_one(plan: str, bundle: str) -> None:
    """REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    built = json.dumps(build_config(spec_of(plan, bundle), load_bundle(bundle)), indent=2, ensure_ascii=False) + "\n"
    golden = GOLDEN / f"openclaw.{plan}.{bundle}.json"
    if os.environ.get("REWRITE_GOLDEN") == "1":
        golden.write_text(built)
    assert built == golden.read_text()


@pytest.mark.parametrize(("plan", "bundle"), CASES)
def test_a_configuration_holds_no_secret_and_nothing_open(plan: str, bundle: str) -> None:
    config = build_config(spec_of(plan, bundle), load_bundle(bundle))
    text = json.dumps(config)
    assert not [planted for planted in PLANTED if planted in text]
    assert config["gateway"]["bind"] == "loopback"
    assert config["gateway"]["auth"] == {"mode": "token", "token": "${CLAWSTACK_GATEWAY_TOKEN}"}
    assert not config["gateway"]["terminal"]["enabled"]
    assert {"group:runtime", "group:fs", "group:automation"} <= set(config["tools"]["deny"])
    assert config["agents"]["defaults"]["heartbeat"]["every"] == "0m"
    assert config["channels"]["telegram"]["apiRoot"] == "http://127.0.0.1:8080/telegram"


def test_only_allowed_models_can_be_chosen() -> None:
    config = build_config(make_spec(), load_bundle("parenting"))
    assert config["models"]["mode"] == "replace"
    assert [model["id"] for model in config["models"]["providers"]["clawstack"]["models"]] == [
        "gpt-5-mini",
        "gpt-5-nano",
    ]
    assert config["agents"]["defaults"]["modelPolicy"]["allow"] == ["clawstack/gpt-5-mini", "clawstack/gpt-5-nano"]
    assert config["agents"]["defaults"]["model"] == {"primary": "clawstack/gpt-5-mini", "fallbacks": []}


def test_user_md_states_the_facts_plainly() -> None:
    user = build_workspace(make_spec(), load_bundle("parenting"), TODAY)["USER.md"]
    assert "Child: Emma" in user
    assert "Birthday: 2025-09-14 (14 September 2025)" in user
    assert "Age: 14 months" in user


def test_a_line_without_its_answer_is_left_out() -> None:
    bundle = load_bundle("general")
    spec = make_spec(bundle=bundle.ref.model_dump(), answers={})
    user = build_workspace(spec, bundle, TODAY)["USER.md"]
    assert "Name" not in user
    assert "{{" not in user


@pytest.mark.parametrize("name", [*HOSTILE, "A" * 10_240])
def test_hostile_answers_add_no_line_and_no_heading(name: str) -> None:
    """Also when they got into the database before today's rules."""
    bundle = load_bundle("parenting")
    calm = build_workspace(make_spec(), bundle, TODAY)["USER.md"]
    spec = make_spec(answers={"child_name": name, "child_birthday": "2025-09-14"})
    user = build_workspace(spec, bundle, TODAY)["USER.md"]
    assert len(user) <= USER_LIMIT
    assert len(user.splitlines()) in {len(calm.splitlines()), len(calm.splitlines()) - 1}
    assert user.count("#") == calm.count("#")
    assert "CLAWSTACK_PROXY_TOKEN}" not in user


def test_a_date_that_is_none_is_left_out() -> None:
    spec = make_spec(answers={"child_name": "Emma", "child_birthday": "soon"})
    assert "Birthday" not in build_workspace(spec, load_bundle("parenting"), TODAY)["USER.md"]


@pytest.mark.parametrize(
    ("birthday", "words"),
    [
        ("2026-11-21", "0 months"), ("2026-10-21", "1 month"), ("2026-10-22", "0 months"), ("2025-09-14", "14 months"),
        ("2023-12-01", "35 months"), ("2023-11-21", "3 years"), ("2016-01-01", "10 years"), ("2027-01-01", "0 months"),
    ],
)  # fmt: skip
def test_ages_are_told_as_parents_tell_them(birthday: str, words: str) -> None:
    assert age_in_words(date.fromisoformat(birthday), TODAY) == words


def test_the_workspace_changes_with_the_month_not_with_the_day() -> None:
    bundle = load_bundle("parenting")
    days = [build_workspace(make_spec(), bundle, date(2026, 11, day)) for day in (14, 21, 30)]
    assert days[0] == days[1] == days[2]
    assert build_workspace(make_spec(), bundle, date(2026, 12, 14)) != days[0]


def test_the_environment_is_quiet_and_bounded() -> None:
    spec = make_spec()
    variables = environment(spec)
    assert set(variables) >= SECRET_NAMES
    assert variables["OPENCLAW_CONFIG_READONLY"] == "1"
    assert variables["MALLOC_ARENA_MAX"] == "2"
    assert f"--max-old-space-size={heap_mb(spec)}" in variables["NODE_OPTIONS"]
    assert heap_mb(spec) <= spec.resources.memory_mb * 0.75
    assert "NODE_COMPILE_CACHE" not in variables  # makes the gateway a grandchild that does not hear SIGTERM
    inside = str(spec.directories.root)
    assert all(variables[name].startswith(inside) for name in ("HOME", "TMPDIR", "OPENCLAW_STATE_DIR"))
