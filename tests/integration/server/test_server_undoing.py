"""What a killed create left at Hetzner is removed before the next run, and nothing that may hold a cell's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcloud
import pytest
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from pydantic import SecretStr

from clawstack.errors import TemporaryError
from services.cells.substrates.server.driver import ServerDriver
from services.cells.substrates.server.hetzner import Project
from tests.integration.hcloud_plugin.standin import Hetzner, running
from tests.unit.server.builders import make_settings

SLUG = "emma-parent-x7k2mq"
NAME = f"cell-{SLUG}"
LABELS = {"clawstack.dev/tenant": SLUG}
SERVER, FIREWALL, VOLUME = "Server", "Firewall", "Volume"


class Channel:
    """Notes which cells' machines were shut out."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    async def close(self, slug: str) -> None:
        self.closed.append(slug)


@pytest.fixture(scope="module")
def hetzner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with running(Path(tmp_path_factory.mktemp("hetzner"))) as found:
        yield found


@pytest.fixture
def client(hetzner: Hetzner) -> hcloud.Client:
    hetzner.tell("reset")
    return hcloud.Client(hetzner.token, api_endpoint=hetzner.endpoint, poll_interval=0.02)


def driver_of(hetzner: Hetzner) -> tuple[ServerDriver, Channel]:
    settings = make_settings(token=SecretStr(hetzner.token), endpoint=hetzner.endpoint)
    channel = Channel()
    return ServerDriver(settings=settings, channel=channel, project=Project(settings, poll_seconds=0.02)), channel  # type: ignore[arg-type]


def make(client: hcloud.Client, *kinds: str, labels: dict[str, str] = LABELS, name: str = NAME) -> dict[str, Any]:
    """Objects of a cell, as a run makes them."""
    made: dict[str, Any] = {}
    if FIREWALL in kinds:
        made[FIREWALL] = client.firewalls.create(name, labels=labels).firewall
    if VOLUME in kinds:
        begun = client.volumes.create(10, name, location=Location(name="fsn1"), labels=labels)
        begun.action.wait_until_finished()
        made[VOLUME] = begun.volume
        made[VOLUME].change_protection(delete=True).wait_until_finished()
    if SERVER in kinds:
        answer = client.servers.create(
            name, ServerType("cx23"), Image(name="debian-13"), location=Location(name="fsn1"), labels=labels
        )
        answer.action.wait_until_finished()
        made[SERVER] = answer.server
    return made


def deployment(*, recorded: dict[str, Any] | None = None, pending: tuple[str, ...] = ()) -> dict[str, Any]:
    def type_of(kind: str) -> str:
        return f"hcloud:index/{kind.lower()}:{kind}"

    resources = [{"type": type_of(kind), "id": str(found.id)} for kind, found in (recorded or {}).items()]
    begun = [
        {"type": "creating", "resource": {"urn": kind, "type": type_of(kind), "inputs": {"name": NAME}}}
        for kind in pending
    ]
    return {"resources": resources, "pending_operations": begun}


async def test_a_machine_that_was_not_written_down_is_removed_and_the_next_try_has_a_boot_of_its_own(hetzner, client):
    known = make(client, VOLUME, FIREWALL)
    make(client, SERVER)
    make(client, SERVER, FIREWALL, labels={"clawstack.dev/tenant": "bert"}, name="cell-bert")
    driver, channel = driver_of(hetzner)
    state = deployment(recorded=known, pending=(SERVER,))
    with pytest.raises(TemporaryError) as told:
        await driver.undo(SLUG, state)
    assert (told.value.code, told.value.retry_after) == ("killed_machine_removed", 1)
    assert channel.closed == [SLUG]
    assert hetzner.names("servers") == ["cell-bert"], "another cell's is not touched"
    assert hetzner.names("volumes") == [NAME], "the memory stays"
    assert hetzner.names("firewalls") == ["cell-bert", NAME]
    assert await driver.undo(SLUG, state) == [], "repeating it changes nothing"


async def test_what_hetzner_finished_after_the_answer_was_lost_is_removed_too(hetzner, client):
    """The provider reports a failure then, and no creation is under way for Pulumi."""
    known = make(client, VOLUME)
    make(client, FIREWALL)
    driver, channel = driver_of(hetzner)
    assert await driver.undo(SLUG, deployment(recorded=known)) == [f"firewall {NAME}"]
    assert channel.closed == []


@pytest.mark.parametrize(("pending", "left"), [((VOLUME,), []), ((), [NAME])])
async def test_a_volume_goes_only_when_its_own_creation_was_cut_off(hetzner, client, pending, left):
    make(client, VOLUME)
    driver, _ = driver_of(hetzner)
    await driver.undo(SLUG, deployment(pending=pending))
    assert hetzner.names("volumes") == left


async def test_a_volume_that_a_machine_has_is_never_removed(hetzner, client):
    known = make(client, SERVER)
    volume = make(client, VOLUME)[VOLUME]
    volume.attach(known[SERVER]).wait_until_finished()
    driver, _ = driver_of(hetzner)
    assert await driver.undo(SLUG, deployment(recorded=known, pending=(VOLUME,))) == []
    assert hetzner.names("volumes") == [NAME]
