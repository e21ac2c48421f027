"""Every rule four times: pass, fail, another type, unknown value. And every rule tells the remedy."""

from __future__ import annotations

import pytest
from pulumi_policy import EnforcementLevel, Secret
from pulumi_policy.proxy import UnknownValueError

from clawstack_policies.labelling import labels_required
from clawstack_policies.pack import POLICIES
from clawstack_policies.plans import substrate_within_plan
from clawstack_policies.process import bind_loopback, limits_set, walled_in
from clawstack_policies.secrets import no_plaintext_secret
from tests.unit.policies.judging import LABELS, UNKNOWN, gateway, judge

STRANGER = "random:index/randomPet:RandomPet"
BOT_TOKEN = "123456789:" + "AAc" * 12


class TestNoPlaintextSecret:
    def test_pass(self):
        assert judge(no_plaintext_secret(), gateway()) == []

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"environment": {"CLAWSTACK_PROXY_TOKEN": "planted-proxy-token"}}, "environment.CLAWSTACK_PROXY_TOKEN"),
            ({"backupKey": "cGxhbnRlZA=="}, "backupKey"),
            ({"note": f"the bot is {BOT_TOKEN}"}, "note"),
            ({"list": [{"password": "hunter22"}]}, "list[0].password"),
            ({"userData": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc"}, "userData"),
        ],
    )
    def test_fail(self, change, path):
        [report] = judge(no_plaintext_secret(), gateway(**change))
        assert f"at {path}." in report
        assert "pulumi.Output.secret" in report
        assert "planted" not in report
        assert BOT_TOKEN not in report

    def test_every_type_is_judged(self):
        assert judge(no_plaintext_secret(), {"password": "hunter22"}, type_=STRANGER)
        assert judge(no_plaintext_secret(), {"length": 2}, type_=STRANGER) == []

    def test_unknown_values_are_no_secrets(self):
        assert judge(no_plaintext_secret(), gateway(token=UNKNOWN, environment={"TOKEN": UNKNOWN})) == []

    @pytest.mark.parametrize("harmless", [{"maxTokens": "4096"}, {"secretName": "cell"}, {"token": "${PROXY_TOKEN}"}])
    def test_words_about_secrets_are_no_secrets(self, harmless):
        assert judge(no_plaintext_secret(), gateway(**harmless)) == []

    def test_a_marked_value_inside_a_list_is_protected(self):
        assert judge(no_plaintext_secret(), gateway(tokens=[Secret(BOT_TOKEN)])) == []


class TestLabelsRequired:
    def test_pass(self):
        assert judge(labels_required(), gateway()) == []

    @pytest.mark.parametrize("label", LABELS)
    def test_fail(self, label):
        labels = {name: value for name, value in LABELS.items() if name != label}
        [report] = judge(labels_required(), gateway(labels=labels))
        assert label in report
        assert "cell_labels" in report

    def test_fail_without_any(self):
        assert judge(labels_required(), gateway(labels=None))
        assert judge(labels_required(), {"name": "x"}, type_="hcloud:index/server:Server")
        assert judge(labels_required(), {"metadata": {"name": "x"}}, type_="kubernetes:core/v1:Secret")

    def test_other_type(self):
        assert judge(labels_required(), {}, type_=STRANGER) == []

    def test_the_platforms_own_servers_need_only_the_manager(self):
        labels = {"app.kubernetes.io/managed-by": "clawstack"}
        assert judge(labels_required(), {"labels": labels}, type_="hcloud:index/server:Server") == []

    def test_unknown(self):
        with pytest.raises(UnknownValueError):
            judge(labels_required(), gateway(labels=UNKNOWN))


class TestBindLoopback:
    def test_pass(self):
        assert judge(bind_loopback(), gateway()) == []
        assert judge(bind_loopback(), gateway(bindHost="::1")) == []

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "", None, "example.org"])
    def test_fail(self, host):
        [report] = judge(bind_loopback(), gateway(bindHost=host))
        assert "listens on" in report
        assert "127.0.0.1" in report

    @pytest.mark.parametrize("config", ['{"gateway": {"bind": "lan"}}', "{}", "nonsense", "[]", '{"gateway": 3}'])
    def test_fail_by_configuration(self, config):
        assert judge(bind_loopback(), gateway(config=config))

    def test_other_type(self):
        assert judge(bind_loopback(), {"bindHost": "0.0.0.0"}, type_=STRANGER) == []

    def test_unknown(self):
        with pytest.raises(UnknownValueError):
            judge(bind_loopback(), gateway(bindHost=UNKNOWN))


class TestLimitsSet:
    def test_pass(self):
        assert judge(limits_set(), gateway()) == []

    @pytest.mark.parametrize("limits", [None, {}, {"memoryMb": 1536}, {**gateway()["limits"], "diskMb": 0}])
    def test_fail(self, limits):
        [report] = judge(limits_set(), gateway(limits=limits))
        assert "diskMb" in report
        assert "plan's resources" in report

    def test_other_type(self):
        assert judge(limits_set(), {}, type_=STRANGER) == []

    def test_unknown(self):
        with pytest.raises(UnknownValueError):
            judge(limits_set(), gateway(limits=UNKNOWN))


class TestWalledIn:
    @pytest.mark.parametrize("reaches", [["127.0.0.1:8080", "[::1]:8081"], ["llm.example.com:443"]])
    def test_pass(self, reaches):
        assert judge(walled_in(), gateway(reaches=reaches)) == []

    @pytest.mark.parametrize(
        ("reaches", "words"),
        [
            (None, "does not say"),
            (["0.0.0.0:80"], "0.0.0.0:80"),
            (["169.254.169.254:80"], "169.254.169.254:80"),
            (["10.0.0.0/8:80"], "10.0.0.0/8:80"),
            (["*:80"], "*:80"),
            (["llm.example.com"], "llm.example.com"),
            ([f"a.example:{port}" for port in range(4)], "4 places"),
        ],
    )
    def test_fail(self, reaches, words):
        [report] = judge(walled_in(), gateway(reaches=reaches))
        assert words in report
        assert "HOST:PORT" in report

    def test_other_type(self):
        assert judge(walled_in(), {}, type_=STRANGER) == []

    def test_unknown(self):
        with pytest.raises(UnknownValueError):
            judge(walled_in(), gateway(reaches=UNKNOWN))


class TestSubstrateWithinPlan:
    def test_pass(self):
        assert judge(substrate_within_plan(), gateway()) == []

    @pytest.mark.parametrize(
        ("plan", "substrate", "words"),
        [("starter", "server", "only process, namespace"), ("gold", "process", "not in the catalogue")],
    )
    def test_fail(self, plan, substrate, words):
        labels = {**LABELS, "clawstack.dev/plan": plan, "clawstack.dev/substrate": substrate}
        [report] = judge(substrate_within_plan(), gateway(labels=labels))
        assert words in report
        assert "Move the tenant" in report

    def test_other_type(self):
        labels = {**LABELS, "clawstack.dev/substrate": "server"}
        assert judge(substrate_within_plan(), {"labels": labels}, type_=STRANGER) == []

    def test_unknown(self):
        with pytest.raises(UnknownValueError):
            judge(substrate_within_plan(), gateway(labels=UNKNOWN))


def test_an_exemption_needs_the_resource_and_frees_only_it():
    config = {"exemptions": [{"resource": "anna-x2-gateway", "reason": "migration until 2026-12-01"}]}
    assert judge(bind_loopback(), gateway(bindHost="0.0.0.0"), config=config) == []
    assert judge(bind_loopback(), gateway(bindHost="0.0.0.0"), name="other-gateway", config=config)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_rule_has_severity_remedy_and_exemption_schema(policy):
    assert policy.severity is not None
    assert policy.remediation_steps
    assert "exemptions" in policy.config_schema.properties
    assert policy.enforcement_level in {EnforcementLevel.MANDATORY, EnforcementLevel.REMEDIATE}


def test_rule_names_are_unique():
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
