"""Add-ons are checked with everything else, wait for the API, and get their secrets as secrets."""

from __future__ import annotations

import datetime as dt
import json

import pulumi
import pytest

from clawstack.addons.component import AddonSecrets
from clawstack.cluster.readiness import wait_for_api
from clawstack.cluster.reading import addons_of, parse_cluster
from clawstack.components.cluster import HetznerCluster, HetznerClusterArgs
from clawstack.errors import InvalidInputError, TemporaryError
from clawstack.platform.config import read_config
from clawstack.platform.stack import deploy, install_addons
from tests.mock_engine import run_program
from tests.unit.platform_cluster.examples import SECRET, Hetzner, raw_cluster


class WithKubernetes(Hetzner):
    def new_resource(self, args):
        if args.typ.startswith(
            ("kubernetes:", "clawstack:addons:", "pulumi:providers:kubernetes", "clawstack:platform:")
        ):
            self.made.append(args)
            return args.name, dict(args.inputs)
        return super().new_resource(args)


def _config(**values):
    pulumi.runtime.set_all_config(
        {f"clawstack:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()},
        ["clawstack:hcloudToken"],
    )
    return pulumi.Config("clawstack")


def test_a_mistake_in_the_add_ons_is_refused_with_the_rest():
    with pytest.raises(InvalidInputError, match=r"clawstack:cluster.addons: .*ingress needs the cloud_controller"):
        parse_cluster(raw_cluster(addons={"cloudController": False, "storage": False, "ingress": True}))


def test_a_cluster_without_the_section_has_no_add_ons_and_an_empty_one_has_the_defaults():
    assert addons_of(parse_cluster(raw_cluster())) is None
    chosen = addons_of(parse_cluster(raw_cluster(addons={})))
    assert chosen.cloud_controller.network == "claw"
    assert chosen.storage is not None


def test_add_ons_wait_for_the_api_and_are_given_a_secret_kubeconfig():
    asked = []

    async def ask(kubeconfig):
        asked.append(kubeconfig)

    hetzner = WithKubernetes()

    def program():
        config = parse_cluster(raw_cluster(addons={"storage": False}))
        cluster = HetznerCluster(HetznerClusterArgs(config=config, today=dt.date(2026, 11, 21)))
        install_addons(addons_of(config), cluster, AddonSecrets(hcloud_token="planted-token"), ask=ask)

    run_program(program, hetzner, project="clawstack", stack="test")
    provider = next(made for made in hetzner.made if made.typ == "pulumi:providers:kubernetes")
    kubeconfig = provider.inputs["kubeconfig"]
    text = kubeconfig["value"] if isinstance(kubeconfig, dict) else kubeconfig
    assert asked == [text], "the API was not asked, or something else was used than what answered"
    assert isinstance(kubeconfig, dict)
    assert kubeconfig.get(SECRET), "the kubeconfig is not secret"
    assert any(made.typ == "kubernetes:helm.sh/v3:Release" for made in hetzner.made)
    assert provider.inputs["upsertExistingObjects"] == "true", "what a killed update made is refused for ever"


def test_the_whole_stack_has_a_cluster_when_it_is_switched_on_and_none_when_not():
    for enabled, servers in ((True, ["claw-control-plane-1"]), (False, [])):
        hetzner = WithKubernetes()
        _config(cluster=raw_cluster(enabled=enabled), hcloudToken="planted-token")
        run_program(deploy, hetzner, project="clawstack", stack="test")
        assert sorted(hetzner.of_kind("Server")) == servers


async def test_the_token_comes_from_the_stack_or_the_environment_and_is_secret():
    for environ, values in (({"CLAWSTACK_HCLOUD_TOKEN": "planted"}, {}), ({}, {"hcloudToken": "planted"})):
        hetzner = read_config(_config(cluster=raw_cluster(), **values), environ).hetzner
        assert await hetzner.token.is_secret()
        assert await hetzner.token.future() == "planted"
    with pytest.raises(InvalidInputError, match="CLAWSTACK_HCLOUD_TOKEN are not set") as caught:
        read_config(_config(cluster=raw_cluster()), {})
    assert caught.value.remedy == "pulumi config set --secret clawstack:hcloudToken"


async def test_urls_with_a_password_are_secret_and_read_before_the_first_resource():
    urls = {"databaseUrl": "postgresql://u:p%2Fw@db/claw", "pulumiBackendUrl": "postgres://u:p%2Fw@db/state"}
    addons = read_config(_config(cluster=raw_cluster(), hcloudToken="planted", **urls), {}).addons
    for given, url in ((addons.database_url, "databaseUrl"), (addons.pulumi_backend_url, "pulumiBackendUrl")):
        assert await given.is_secret()
        assert await given.future() == urls[url]


@pytest.mark.parametrize(
    ("key", "url", "sentence"),
    [
        ("databaseUrl", "postgresql://u:planted/w@db/claw", "percent-encode user and password"),
        ("pulumiBackendUrl", "postgres://u:planted/w@db/claw", "percent-encode user and password"),
        ("pulumiBackendUrl", "file:///var/lib", "is a folder, which is lost with its pod"),
    ],
)
async def test_a_url_that_pods_could_not_use_is_refused_without_its_password(key, url, sentence):
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        read_config(_config(cluster=raw_cluster(), hcloudToken="planted-token", **{key: url}), {})
    assert caught.value.message.startswith(f"clawstack:{key} ")
    assert "planted" not in caught.value.sentence()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cluster": "yes"}, "must be an object"),
        ({"cluster": raw_cluster(), "hcloudEndpoint": "hetzner"}, "must be an address that starts with https://"),
        ({"cluster": raw_cluster(enabled=False, colour="red")}, "is not a setting"),
    ],
)
async def test_what_cannot_be_a_cluster_is_refused_even_when_it_is_off(values, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        read_config(_config(**values), {"CLAWSTACK_HCLOUD_TOKEN": "planted"})


async def test_the_wait_ends_when_the_api_answers():
    answers = [ConnectionRefusedError("refused"), OSError("/readyz answered 500"), None]

    async def ask(_):
        answer = answers.pop(0)
        if answer:
            raise answer

    assert await wait_for_api("kubeconfig", ask=ask, pause=0) == "kubeconfig"
    assert answers == []


async def test_the_wait_is_bounded_and_tells_the_last_reason():
    async def ask(_):
        raise OSError("/readyz answered 503")

    with pytest.raises(TemporaryError, match="answered 503") as caught:
        await wait_for_api("kubeconfig", ask=ask, patience=0, pause=0)
    assert "journalctl -u clawstack-node" in caught.value.remedy
