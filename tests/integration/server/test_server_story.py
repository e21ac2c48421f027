"""A cell's whole life on a server: driver, real engine and policy pack, offline plugin, stand-in for Hetzner, real machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.vocabulary import Desired, Observed
from services.cells.machines.schemas import MachinePhase
from services.cells.substrates.server.driver import ServerDriver
from services.cells.substrates.server.hetzner import Project
from services.cells.substrates.server.retiring import MachinePatience
from services.kit.database.base import utcnow
from tenants.backups.archive import manifests
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec
from tests.integration.hcloud_plugin.standin import Hetzner, running
from tests.integration.server.rehearsal import Disk, RehearsedMachine
from tests.integration.server.rig import Rig, token_of
from tests.integration.server.stack import Stack
from tests.unit.tenants.builders import PLANTED_PROXY

SLUG = "emma-parent-x7k2mq"
SERVER = f"cell-{SLUG}"
NO_ROOM = TemporaryError("No server of this type.", code="hetzner_resource_unavailable", retry_after=900)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with running(tmp_path_factory.mktemp("hcloud")) as hetzner:
        yield hetzner


class Life:
    """One cell, as an operation of the provisioner treats it: equip, prepare, up, settle."""

    def __init__(self, rig: Rig, stack: Stack, disk: Disk) -> None:
        self.rig, self.stack, self.disk = rig, stack, disk
        self.told: list[str] = []
        self.machine: RehearsedMachine | None = None

    def settings(self, **changes: Any) -> ServerSettings:
        hetzner = self.stack.hetzner
        own = {"token": hetzner.token, "endpoint": hetzner.endpoint, "poll_interval": "20ms"}
        return self.rig.settings(**{**own, "boot_minutes": 20, **changes})

    def driver(self, settings: ServerSettings | None = None) -> ServerDriver:
        settings = settings or self.settings()
        return ServerDriver(
            settings=settings,
            channel=self.rig.channel,
            project=Project(settings, poll_seconds=0.02),
            patience=MachinePatience(order=30, look=0.1),
        )

    async def operate(self, spec: CellSpec | None = None, **settings: Any) -> dict[str, int]:
        """One operation; a machine that Hetzner makes is switched on."""
        chosen = self.settings(**settings)
        spec = await self.rig.equipped(spec, settings=chosen)
        driver = self.driver(chosen)
        await driver.prepare(spec, tell=self.told.append)
        before = self.server_ids()
        changes = await self.stack.run("up", spec, chosen)
        if before - self.server_ids() and self.machine is not None:
            self.machine.power_off()
        if self.server_ids() - before:
            self.machine = self.rig.machine(self.disk)
            await self.machine.boot(self.stack.user_data(SERVER))
        await driver.settle(spec, tell=self.told.append)
        return changes

    async def refused(self, **settings: Any) -> str | None:
        """An operation that finds no room; where the next one is tried, None when it only waits."""
        chosen = self.settings(**settings)
        spec = await self.rig.equipped(settings=chosen)
        driver = self.driver(chosen)
        await driver.prepare(spec, tell=self.told.append)
        answer = await self.stack.ask("up", spec, chosen)
        assert "resource_unavailable" in answer["error"]
        error = await driver.elsewhere(spec, NO_ROOM)
        if error is NO_ROOM:
            return None
        assert error.retry_after <= 1
        return error.message.rsplit("the next try is ", 1)[1].rstrip(".")

    def places(self) -> tuple[list[str], list[str]]:
        """Where servers and volumes are."""
        servers = self.stack.hetzner.ask("/servers")["servers"]
        kinds = [f"{each['server_type']['name']} in {each['location']['name']}" for each in servers]
        return kinds, [each["location"]["name"] for each in self.stack.hetzner.ask("/volumes")["volumes"]]

    def server_ids(self) -> set[int]:
        return {int(entry["id"]) for entry in self.stack.hetzner.objects().get("servers", [])}

    def starts(self) -> int:
        return len((self.disk.state / "starts.log").read_text().splitlines())


@pytest.fixture
async def life(rig: Rig, world: Hetzner, tmp_path: Path) -> Life:
    world.tell("reset")
    stack = Stack(tmp_path / "stack", world)
    await asyncio.to_thread(stack.prepare)
    return Life(rig, stack, rig.disk())


async def test_a_cell_is_born_suspended_resumed_and_destroyed_and_only_the_backup_is_left(life: Life) -> None:
    hetzner, spec = life.stack.hetzner, life.rig.spec
    assert await life.operate() == {"create": 7}
    assert {kind: len(entries) for kind, entries in hetzner.objects().items() if kind != "primary_ips"} == {
        "servers": 1,
        "volumes": 1,
        "firewalls": 1,
    }
    assert "The assistant answers on its own server." in life.told
    await life.rig.reported(
        await life.rig.equipped(settings=life.settings()), lambda seen: seen.memory_bytes is not None
    )
    look = await life.driver().look(SLUG, port=1)
    assert (look.observed, look.where, look.memory_bytes) == (Observed.RUNNING, SERVER, 123456789)
    assert await life.operate() == {}, "repeating it changes nothing"
    assert life.starts() == 1

    first = life.server_ids()
    assert await life.operate(spec(desired=Desired.SUSPENDED)) == {"delete": 2}
    assert life.server_ids() == set()
    assert len(hetzner.objects()["volumes"]) == 1
    assert [entry["labels"]["clawstack.dev/tenant"] for entry in hetzner.objects()["images"]] == [SLUG]
    assert len(manifests(spec().directories.backups, SLUG)) == 1
    assert (await life.driver().look(SLUG, port=1)).observed is Observed.SUSPENDED

    await life.operate(spec(answers={"child_name": "Emma", "child_birthday": "2025-09-14"}))
    assert life.server_ids() != first
    assert life.starts() == 2, "the same state, started again"
    [snapshot] = [entry["id"] for entry in hetzner.objects()["images"]]
    row = hetzner.tell(f"servers/{SERVER}", method="GET")["server"]
    assert row["image"]["id"] == snapshot, "the resumed machine starts from what was installed"

    equipped = await life.rig.equipped(settings=life.settings())
    await life.driver().release(equipped, tell=life.told.append)
    assert life.machine is not None
    await life.stack.run("destroy", equipped, life.settings())
    life.machine.power_off()
    await life.driver().confirm_gone(SLUG, tell=life.told.append)
    assert hetzner.objects() == {}
    assert len(manifests(spec().directories.backups, SLUG)) == 2
    assert await life.rig.channel.machines(SLUG) == []


async def test_secrets_are_neither_at_hetzner_nor_open_in_the_state(life: Life) -> None:
    await life.operate()
    everything = life.stack.hetzner.tell("requests?after=0", method="GET")
    told = str(everything)
    assert SERVER in told
    for secret in (PLANTED_PROXY, life.rig.spec().backup_key.get_secret_value()):
        assert secret not in told
        assert secret not in life.stack.state()
    spec = await life.rig.equipped(settings=life.settings())
    assert token_of(spec).secret not in life.stack.state()
    assert life.stack.hetzner.token not in life.stack.state()


async def test_a_resize_lets_the_turns_finish_and_keeps_the_machine(life: Life) -> None:
    await life.operate()
    before = life.server_ids()
    spec = await life.rig.equipped(settings=life.settings())
    larger = life.settings(server_types={"business": "cx43"})
    driver = life.driver(larger)
    await driver.prepare(spec, tell=life.told.append)
    assert "The server is to be resized; it will be switched off for a moment." in life.told
    assert life.machine is not None
    assert await life.stack.run("up", spec, larger) == {"update": 1}
    life.machine.power_off()
    life.machine.power_on()
    await driver.settle(spec, tell=life.told.append)
    assert life.server_ids() == before
    assert life.starts() == 2
    row = life.stack.hetzner.tell(f"servers/{SERVER}", method="GET")["server"]
    assert row["server_type"] == "cx43"


async def test_a_rebuild_keeps_the_state(life: Life) -> None:
    await life.operate()
    before = life.server_ids()
    node = {**life.settings().node.model_dump(), "version": "26.11.0"}
    changes = await life.operate(node=node)
    assert changes == {"replace": 2}
    assert not before & life.server_ids()
    assert life.starts() == 2
    assert len(manifests(life.rig.spec().directories.backups, SLUG)) == 1, "backed up before it was replaced"


async def test_a_dead_machine_is_replaced_when_the_operator_says_so_and_suspending_it_waits(life: Life) -> None:
    spec = life.rig.spec()
    await life.operate()
    before = life.server_ids()
    assert life.machine is not None
    life.machine.power_off()
    await life.rig.silence(await life.rig.equipped(settings=life.settings()), seconds=600)
    assert (await life.driver().look(SLUG, port=1)).observed is Observed.UNKNOWN
    suspended = life.rig.spec(desired=Desired.SUSPENDED)
    with pytest.raises(TemporaryError, match="has not called") as silent:
        await life.driver().prepare(suspended, tell=life.told.append)
    assert silent.value.code == "server_silent"
    with pytest.raises(TemporaryError, match="has not called"):
        await life.driver().release(spec, tell=life.told.append)
    assert life.stack.hetzner.objects()["volumes"], "nothing is given up without a backup"

    await life.rig.channel.close(SLUG)
    assert (await life.operate())["replace"] == 2
    assert not before & life.server_ids()
    assert life.starts() == 2, "the same state"


async def test_a_machine_that_never_calls_ends_in_another_one(life: Life) -> None:
    settings = life.settings()
    spec = await life.rig.equipped(settings=settings)
    await life.stack.run("up", spec, settings)
    dead = life.server_ids()
    await life.rig.expire(spec)
    with pytest.raises(TemporaryError, match="did not call") as late:
        await life.driver().settle(spec, tell=life.told.append)
    assert late.value.code == "boot_token_expired"
    assert (await life.operate())["replace"] == 2
    assert not dead & life.server_ids()


async def test_reasons_of_the_machine_end_in_attention_or_another_try(life: Life) -> None:
    settings = life.settings()
    spec = await life.rig.equipped(settings=settings)
    await life.stack.run("up", spec, settings)
    machine = life.rig.machine(life.disk)
    await machine.boot(life.stack.user_data(SERVER), {"exit": 78, "reason": "unknown key"})
    with pytest.raises(NeedsAttentionError, match="unknown key") as refused:
        await life.driver().settle(spec, tell=life.told.append)
    assert refused.value.code == "gateway_refused_config"

    machine.behave(exit=3, reason="the disk is odd")
    await life.rig.equipped(life.rig.spec(restart_nonce="again"), settings=settings)
    hasty = life.settings(ready_seconds=30)
    object.__setattr__(hasty, "ready_seconds", 4)
    with pytest.raises(TemporaryError, match="the disk is odd") as broken:
        await life.driver(hasty).settle(spec, tell=life.told.append)
    assert broken.value.code == "gateway_not_ready"
    await life.rig.reported(spec, lambda seen: seen.phase is MachinePhase.FAILED and seen.code == "gateway_not_ready")
    assert (await life.driver().look(SLUG, port=1)).observed is Observed.BROKEN


async def test_a_stolen_boot_token_is_noticed_and_the_machine_made_anew(life: Life) -> None:
    settings = life.settings()
    spec = await life.rig.equipped(settings=settings)
    await life.stack.run("up", spec, settings)
    user_data = life.stack.user_data(SERVER)
    thief = life.rig.machine(life.rig.disk("thief"))
    await thief.boot(user_data)
    await life.rig.reported(spec, lambda machine: machine.used_at is not None)
    thief.power_off()
    honest = life.rig.machine(life.disk)
    await honest.boot(user_data)
    refused = await life.rig.reported(spec, lambda machine: machine.refusals > 0)
    assert refused.phase is not MachinePhase.READY
    await life.rig.silence(spec, seconds=40)
    with pytest.raises(TemporaryError, match="A second machine came") as noticed:
        await life.driver().settle(spec, tell=life.told.append)
    assert noticed.value.code == "boot_token_used"
    assert (await life.operate())["replace"] == 2


async def test_trouble_at_hetzner_is_told_in_our_words(life: Life) -> None:
    await life.operate()
    driver = life.driver(life.settings(token="wrong"))
    with pytest.raises(NeedsAttentionError) as refused:
        await driver.orphans(frozenset())
    assert refused.value.code == "hetzner_unauthorized"
    assert await life.driver().orphans(frozenset({SLUG})) == []
    assert [orphan.what for orphan in await life.driver().orphans(frozenset())] == [
        f"server {SERVER}",
        f"volume {SERVER}",
    ]
    with pytest.raises(TemporaryError, match=f"server {SERVER}") as left:
        await life.driver().confirm_gone(SLUG, tell=life.told.append)
    assert left.value.code == "server_leftovers"


async def test_a_new_cell_finds_room_elsewhere_and_stays_there(life: Life) -> None:
    hetzner = life.stack.hetzner
    others = {"other_locations": ["hel1"], "other_server_types": {"business": ["cx43"]}}
    for kind in ("cx33", "cx43"):
        hetzner.tell("availability", {"server_type": kind, "location": "nbg1", "available": False})
    assert await life.refused(**others) == "cx43 in nbg1"
    assert await life.refused(**others) == "cx33 in hel1"
    await life.operate(**others)

    assert life.places() == (["cx33 in hel1"], ["hel1"])
    assert "The empty volume is made anew in hel1, where there may be room for its server." in life.told
    for kind in ("cx33", "cx43"):
        hetzner.tell("availability", {"server_type": kind, "location": "nbg1", "available": True})
    assert await life.operate(**others) == {}, "it is not moved back"
    assert await life.operate() == {}, "nor when the list is shorter by now"
    assert life.places() == (["cx33 in hel1"], ["hel1"])


async def test_a_cell_with_a_memory_takes_another_type_and_never_leaves_its_volume(life: Life) -> None:
    hetzner = life.stack.hetzner
    others = {"other_locations": ["hel1"], "other_server_types": {"business": ["cx43"]}, "snapshots_kept": 0}
    await life.operate(**others)
    volume = [entry["id"] for entry in hetzner.objects()["volumes"]]
    await life.operate(life.rig.spec(desired=Desired.SUSPENDED), **others)
    hetzner.tell("availability", {"server_type": "cx33", "location": "nbg1", "available": False})

    assert await life.refused(**others) == "cx43 in nbg1"
    settings = life.settings(**others)
    assert await life.driver(settings).elsewhere(await life.rig.equipped(settings=settings), NO_ROOM) is NO_ROOM
    again = await life.rig.equipped(settings=settings)
    assert again.boot is not None
    assert again.boot.server_type is None, "the next round begins with the first type"
    assert await life.refused(**others) == "cx43 in nbg1"
    await life.operate(**others)

    assert life.places() == (["cx43 in nbg1"], ["nbg1"])
    assert [entry["id"] for entry in hetzner.objects()["volumes"]] == volume
    assert life.starts() == 2


async def test_a_volume_older_than_what_is_known_of_the_cell_is_kept(life: Life) -> None:
    others = {"other_locations": ["hel1"]}
    await life.operate(**others)
    await life.rig.channel.forget(SLUG)  # the platform's database is of another day
    life.stack.hetzner.tell("availability", {"server_type": "cx33", "location": "nbg1", "available": False})
    settings = life.settings(**others)
    spec = await life.rig.equipped(settings=settings, now=utcnow() + timedelta(minutes=1))
    assert spec.boot is not None
    assert spec.boot.is_first, "as the rows have it"

    told = await life.driver(settings).elsewhere(spec, NO_ROOM)

    assert told is NO_ROOM
    moved = spec.model_copy(update={"boot": spec.boot.model_copy(update={"location": "hel1"})})
    await life.driver(settings).prepare(moved, tell=life.told.append)
    assert all(entry["protection"]["delete"] for entry in life.stack.hetzner.ask("/volumes")["volumes"])


async def test_a_quota_ends_in_attention_with_the_reason(life: Life) -> None:
    life.stack.hetzner.tell("quotas", {"quotas": {"servers": 0}})
    settings = life.settings()
    spec = await life.rig.equipped(settings=settings)
    told = await life.stack.ask("up", spec, settings)
    assert "needs_attention" in told["error"]
    assert "limit" in told["error"]
