"""The platform stack with mocked resources: what it makes, whose child it is, what is secret, what it refuses."""

from __future__ import annotations

import base64

import pulumi
import pytest
from pulumi.runtime.mocks import MockResourceArgs, Mocks

from clawstack.components.secrets import PlatformSecrets, PlatformSecretsArgs
from clawstack.errors import InvalidInputError
from clawstack.platform.config import read_config
from clawstack.platform.stack import deploy, environment, webhook_urls
from tests.mock_engine import run_program

_KEY = base64.b64encode(b"k" * 32).decode()


class Recording(Mocks):
    def __init__(self):
        self.made: list[MockResourceArgs] = []

    def new_resource(self, args):
        self.made.append(args)
        outputs = {
            "random:index/randomBytes:RandomBytes": {"base64": _KEY, "hex": "6b"},
            "random:index/randomPassword:RandomPassword": {"result": "planted-webhook-secret"},
        }.get(args.typ, {})
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args):
        raise AssertionError(f"unexpected look-up {args.token}")


@pytest.fixture
def mocks():
    return Recording()


def _config(**values):
    pulumi.runtime.set_all_config({f"clawstack:{key}": str(value) for key, value in values.items()})
    return pulumi.Config("clawstack")


def _run(program, mocks):
    return run_program(program, mocks, project="clawstack", stack="dev")


def test_secrets_are_made_once_each_and_stay_secret(mocks):
    async def program():
        secrets = PlatformSecrets("platform", PlatformSecretsArgs(rotation=2))
        assert await secrets.master_key.is_secret(), "the master key must be secret in state"
        assert await secrets.telegram_webhook_secret.is_secret()
        assert await secrets.master_key.future() == _KEY

    urns = _run(program, mocks)
    by_name = {made.name: made for made in mocks.made}
    assert by_name["platform-master-key"].inputs["length"] == 32
    assert by_name["platform-telegram-webhook"].inputs["keepers"] == {"rotation": "2"}
    children = [urn for urn in urns if "random:index" in urn]
    assert len(children) == 2
    assert all("clawstack:platform:Secrets$random:index" in urn for urn in children)


def test_the_environment_holds_every_setting_that_serve_needs(mocks):
    config = read_config(_config(publicUrl="https://claw.example/", profile="production"))
    seen = {}

    async def program():
        seen.update(await environment(config, PlatformSecrets("platform", PlatformSecretsArgs())).future())

    _run(program, mocks)
    assert seen["CLAWSTACK_MASTER_KEY"] == _KEY
    assert seen["CLAWSTACK_PUBLIC_URL"] == "https://claw.example"
    assert webhook_urls(config)["stripe"] == "https://claw.example/webhooks/stripe"


def test_the_whole_program_makes_these_resources_and_no_other(mocks):
    _config()
    _run(deploy, mocks)
    assert sorted(made.name for made in mocks.made) == [
        "platform",
        "platform-master-key",
        "platform-telegram-webhook",
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"profile": "staging"}, "one of development, production"),
        ({"defaultSubstrate": "docker"}, "one of process, namespace, server"),
        ({"publicUrl": "claw.example"}, "must be an address"),
        ({"publicUrl": "http://claw.example", "profile": "production"}, "https:// address"),
        ({"secretRotation": "0"}, "whole number from 1 up"),
    ],
)
def test_bad_configuration_names_value_allowed_set_and_remedy(values, sentence):
    with pytest.raises(InvalidInputError) as caught:
        read_config(_config(**values))
    assert sentence in caught.value.message
    assert next(reversed(values.values())) in caught.value.message or "http" in caught.value.message
    assert "pulumi config set clawstack:" in caught.value.sentence()
