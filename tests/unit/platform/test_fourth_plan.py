"""A plan is one entry: a fourth one in the catalogue is there wherever plans are, without another line of code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from pydantic import SecretStr, ValidationError

from clawstack.addons import cell_peers
from clawstack.addons.workloads.plan import priorities
from clawstack.plans import Ability, Channel, Period, Plan, Support, load_catalogue
from clawstack.settings import Settings
from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.allowance import types_allowed
from clawstack_policies.plans import substrate_within_plan
from services.business.signups.forms import Entered, check_order
from services.business.tenants.places import require_usable, usual_place
from services.cells.substrates.installation import installation_of
from services.web.site.views import entered_of, landing_context, signup_context
from tenants.process.plan import build_plan
from tenants.substrates.server import server_settings
from tests.unit.addons.builders import settings as addons
from tests.unit.namespace import builders as namespace
from tests.unit.platform.fourth_plan import TEXT, sold
from tests.unit.policies.hetzner_resources import CELL, judged, server
from tests.unit.policies.judging import LABELS, gateway, judge
from tests.unit.server import builders as servers
from tests.unit.tenants.builders import make_spec

TODAY = date(2026, 11, 21)


@pytest.fixture(autouse=True)
def _on_sale(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with sold(monkeypatch):
        yield


def _plan() -> Plan:
    return load_catalogue().plan("family")


def test_the_entry_says_all_that_a_plan_decides() -> None:
    plan = _plan()
    assert plan == load_catalogue(TEXT).plan("family")
    assert (plan.seats, plan.assistants, plan.kept_backups, plan.history_days) == (6, 2, 21, 120)
    assert plan.channels == (Channel.TELEGRAM, Channel.WEB)
    assert plan.abilities == {Ability.MEMORY, Ability.REMINDERS, Ability.IMAGES}
    assert plan.support is Support.PRIORITY
    assert set(plan.model_fields_set) == set(Plan.model_fields), "the entry of this test names every field"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("server_type: cx53", "seats: 6", "names no server_type"),
        ("  family:", "  Family plan:", "should match pattern"),
        ("priority: 2500", "priority: 1_000_000", "less than 1000000"),
        ("[memory, reminders, images]", "[memory, telepathy]", "telepathy"),
        ("channels: [telegram, web]\n    abilities: [memory, reminders, images]", "channels: [pigeon]", "pigeon"),
        ("kept_backups: 21", "kept_backup: 21", "kept_backup"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        load_catalogue(TEXT.replace(old, new, 1))


def test_it_is_sold_on_the_first_page_and_in_the_form() -> None:
    catalogue = load_catalogue()
    shown = [plan.key for plan in landing_context(catalogue)["plans"]]
    assert shown == ["starter", "pro", "family", "business"], "by price"
    chosen = entered_of(None, plan="family", bundle="", period="", catalogue=catalogue)
    assert chosen.plan == "family"
    [view] = [plan for plan in signup_context(catalogue, chosen, TODAY)["plans"] if plan.key == "family"]
    assert (view.title, view.monthly, view.yearly, view.saving) == ("Family", "$29", "$290", "2 months free")


def test_it_is_taken_at_checkout_and_known_again_by_its_price() -> None:
    entered = Entered(
        email="parent@example.com", plan="family", period="year", bundle="general", answers={"preferred_name": "Emma"}
    )
    order = check_order(entered, load_catalogue(), TODAY)
    assert order.lookup_key == "clawstack_family_year"
    assert load_catalogue().plan_of_lookup_key(order.lookup_key) == (_plan(), Period.YEAR)


def test_it_runs_where_its_entry_says() -> None:
    assert usual_place(_plan(), "process") == "process"
    assert usual_place(_plan(), "elsewhere") == "namespace"
    for substrate in _plan().substrates:
        require_usable(_plan(), substrate, ("process", "namespace", "server"))


def test_the_builder_of_processes_gives_it_its_limits() -> None:
    plan = _plan()
    built = build_plan(make_spec(plan="family", resources=plan.resources.model_dump()), today=TODAY)
    assert built.labels["clawstack.dev/plan"] == "family"
    assert (built.limits.memory_mb, built.limits.disk_mb) == (3072, 6144)


def test_the_builder_of_namespaces_gives_it_its_priority() -> None:
    own = addons().workloads
    assert own is not None
    plan = namespace.plan_of(namespace.cell("family"), **cell_peers(own))
    assert namespace.pod(plan)["priorityClassName"] == "clawstack-family"


def test_its_class_of_priority_stands_between_those_of_its_neighbours() -> None:
    classes = priorities()
    assert classes["clawstack-family"] == 2500
    assert list(classes.values()) == sorted(classes.values(), reverse=True)


def _servers(**given: object) -> Settings:
    node = {"version": "26.10.0", "sha256": {"x64": "ab" * 32}}
    return Settings(
        _env_file=None,
        public_url="https://claw.example.org",
        hcloud_token=SecretStr("h" * 64),
        servers={"location": "nbg1", "node": node, **given},
    )


def test_the_builder_of_servers_gives_it_its_machine() -> None:
    project = server_settings(installation_of(_servers()))
    built = servers.plan_of(servers.cell("family"), server_types=project.server_types)
    assert built.machine is not None
    assert built.machine.server_type == "cx53"


def test_the_operator_may_name_another_machine_for_one_plan() -> None:
    project = server_settings(installation_of(_servers(server_types={"business": "cx43"})))
    assert project.server_types == {"family": "cx53", "business": "cx43"}


def test_the_policy_pack_lets_its_cells_run_and_judges_them_like_others() -> None:
    for substrate in _plan().substrates:
        labels = {**LABELS, "clawstack.dev/plan": "family", "clawstack.dev/substrate": substrate}
        assert judge(substrate_within_plan(), gateway(labels=labels)) == []
    labels = {**CELL, "clawstack.dev/plan": "family"}
    assert judged(types_allowed(), objects.SERVER, server(serverType="cx53", labels=labels)) == []
    assert judged(types_allowed(), objects.SERVER, server(serverType="ccx63", labels=labels))
