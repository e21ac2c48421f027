"""A machine's life: the real user data, bootstrap and agent against the real endpoints, in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from clawstack.untrusted_tree import remove, walk
from services.cells.machines.schemas import MachinePhase, MachineState, OrderKind
from services.cells.substrates.server.driver import ServerDriver
from tenants.backups.archive import Archive, manifests
from tenants.server.user_data import agent_source
from tests.integration.server.rehearsal import RehearsedMachine
from tests.integration.server.rig import Rig, token_of
from tests.nesting import nest
from tests.unit.server.builders import PLANTED_API_TOKEN
from tests.unit.tenants.builders import PLANTED_CHANNEL, PLANTED_GATEWAY, PLANTED_PROXY
from tests.waiting import patient
from toolchain.locate import locate

STATE = Path("var/lib/clawstack/volume/emma-parent-x7k2mq/state")


def asked(machine: RehearsedMachine, *words: str) -> list[list[str]]:
    """What was asked of the machine's programs, as far as it begins with these words."""
    return [line for line in machine.asked() if line[: len(words)] == list(words)]


def looks(machine: RehearsedMachine) -> list[str]:
    """The gateway's process at every look at its health."""
    file = machine.root / STATE / "asked.log"
    return file.read_text().splitlines() if file.exists() else []


def starts(machine: RehearsedMachine) -> int:
    return len((machine.root / STATE / "starts.log").read_text().splitlines())


async def test_a_machine_gets_ready_from_its_user_data_alone(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    ready = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    assert ready.applied_version == ready.wanted_version

    assert [line[:2] for line in machine.asked() if line[0] in {"cryptsetup", "mkfs.ext4", "mount"}] == [
        ["cryptsetup", "isLuks"],
        ["cryptsetup", "luksFormat"],
        ["cryptsetup", "open"],
        ["mkfs.ext4", "-q"],
        ["mount", "-o"],
        ["cryptsetup", "resize"],
    ]
    assert [line[-1] for line in asked(machine, "systemctl", "disable")] == ["ssh.service", "ssh.socket"]
    wall = asked(machine, "systemctl", "restart", "clawstack-wall.service")
    gateway = asked(machine, "systemctl", "restart", "clawstack-gateway.service")
    assert machine.asked().index(wall[0]) < machine.asked().index(gateway[0]), "no gateway without its wall"
    assert "add element inet clawstack platform4 { 127.0.0.1 }" in (machine.root / "stub/sets.nft").read_text()
    hosts = (machine.root / "run/clawstack/hosts").read_text()
    assert hosts == "127.0.0.1 localhost\n::1 localhost\n", "the gateway asks no name server"
    assert (machine.root / STATE / "workspace/USER.md").read_text().count("Emma") > 0
    modes = {name: (machine.root / name).stat().st_mode & 0o777 for name in ("run/clawstack/gateway.env", str(STATE))}
    assert modes == {"run/clawstack/gateway.env": 0o600, str(STATE): 0o700}


async def test_secrets_are_in_memory_and_on_the_encrypted_volume_only(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    user_data = rig.user_data(spec)
    await machine.boot(user_data)
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    secrets = {PLANTED_PROXY, PLANTED_CHANNEL, PLANTED_GATEWAY, PLANTED_API_TOKEN, spec.backup_key.get_secret_value()}
    assert not [secret for secret in secrets if secret in user_data]
    for name, text in machine.texts().items():
        kept = name.startswith("run/")
        assert kept or not [secret for secret in secrets if secret in text], name
    assert PLANTED_PROXY in machine.texts()["run/clawstack/gateway.env"], "the test looks in the right places"
    assert not (machine.root / "etc/clawstack/boot-token").exists()
    token = (machine.root / "etc/clawstack/agent-token").read_text()
    assert token.split("_")[:2] == ["clawag", token_of(spec).key]
    assert (machine.root / "etc/clawstack/agent-token").stat().st_mode & 0o777 == 0o600
    arguments = json.dumps(machine.asked())
    assert not [secret for secret in {*secrets, token, token_of(spec).reveal()} if secret in arguments]


async def test_a_rebooted_machine_opens_its_volume_and_serves_again(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    machine.power_off()
    machine.power_on()
    await rig.reported(spec, lambda machine: machine.phase is not MachinePhase.READY)
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    assert starts(machine) == 2
    assert len(asked(machine, "cryptsetup", "luksFormat")) == 1, "the disk is formatted once in its life"
    assert len(asked(machine, "mkfs.ext4")) == 1


async def test_a_frozen_gateway_is_ended_and_started_again_by_its_machine(rig: Rig) -> None:
    settings = rig.settings()
    object.__setattr__(settings, "silence_seconds", 1)  # shorter than an operator may choose
    spec = await rig.equipped(settings=settings)
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec, settings))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    await rig.until(lambda: len(looks(machine)) > 10)  # every 0.2 s: longer than it may be silent
    assert asked(machine, "systemctl", "kill") == [], "one that answers is left alone"

    machine.freeze("clawstack-gateway.service")
    await rig.until(lambda: starts(machine) == 2)
    frozen = looks(machine)[0]
    await rig.until(lambda: sum(each != frozen for each in looks(machine)) > 10)

    assert asked(machine, "systemctl", "kill") == [["systemctl", "kill", "--signal=KILL", "clawstack-gateway.service"]]
    assert "gateway_silent no answer on /healthz for 1 s: killed" in machine.agent_log()
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)


async def test_a_backup_by_order_opens_with_the_tenants_key_and_is_noted(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    ready = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    number = await rig.channel.order(ready.key, OrderKind.BACKUP)
    assert await rig.channel.order(ready.key, OrderKind.BACKUP) == number, "told once"
    done = await rig.done(number)
    assert done.ok, done
    [manifest] = manifests(spec.directories.backups, spec.slug)
    assert done.archive == manifest.archive
    restored = await rig.opened(spec, manifest.archive)
    assert (restored / "state" / "openclaw.sqlite").read_text() == "the memory of this cell\n"
    assert starts(machine) == 1, "the gateway went on"
    for count in (2, 3, 4):
        assert (await rig.done(await rig.channel.order(ready.key, OrderKind.BACKUP))).ok
        assert len(manifests(spec.directories.backups, spec.slug)) == count, "each order is obeyed once"


async def test_what_a_cell_nested_without_end_is_backed_up_with_the_rest(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    ready = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    nest(machine.root / STATE, 500)
    (machine.root / STATE).chmod(0)
    done = await rig.done(await rig.channel.order(ready.key, OrderKind.BACKUP))
    assert done.ok, done
    [manifest] = manifests(spec.directories.backups, spec.slug)
    restored = await rig.opened(spec, manifest.archive)
    assert len([entry for entry in walk(restored) if entry.name.startswith("file-")]) == 500
    remove(restored)


async def test_a_database_that_a_gateway_was_killed_in_making_is_finished_and_backed_up(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    ready = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    (machine.root / STATE / "state" / "openclaw.sqlite").write_bytes(b"")
    done = await rig.done(await rig.channel.order(ready.key, OrderKind.BACKUP))
    assert done.ok, done
    [manifest] = manifests(spec.directories.backups, spec.slug)
    restored = await rig.opened(spec, manifest.archive)
    assert (restored / "state" / "openclaw.sqlite").read_text() == "tables without rows\n"


async def test_a_retired_machine_stops_backs_up_and_never_starts_again(rig: Rig) -> None:
    spec = await rig.equipped()
    disk = rig.disk()
    machine = rig.machine(disk)
    await machine.boot(rig.user_data(spec))
    ready = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    done = await rig.done(await rig.channel.order(ready.key, OrderKind.RETIRE))
    assert done.ok, done
    assert done.archive is not None
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.STOPPED)
    assert "ActiveState=inactive" in machine.systemctl("show", "clawstack-gateway.service")
    assert asked(machine, "cryptsetup", "close")
    assert not machine.root.joinpath(STATE).exists(), "the volume is closed"

    machine.power_off()
    machine.power_on()
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.BOOTING)
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.STOPPED)

    # The next machine of the cell finds the same state on the same volume.
    again = await rig.equipped()
    assert token_of(again).key != ready.key
    successor = rig.machine(disk)
    await successor.boot(rig.user_data(again))
    await rig.reported(again, lambda machine: machine.phase is MachinePhase.READY)
    assert starts(successor) == 2
    assert not asked(successor, "cryptsetup", "luksFormat")
    [old] = [item for item in await rig.channel.machines(spec.slug) if item.key == ready.key]
    assert old.closed_at is not None, "the first machine is shut out"


async def test_changes_reach_the_machine_and_restart_the_gateway_only_when_needed(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)

    cheaper = await rig.equipped(rig.spec(models={"primary": "gpt-5-nano", "allowed": ["gpt-5-nano"]}))
    assert token_of(cheaper).key == token_of(spec).key, "the same machine"
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY and _applied(machine))
    config = machine.root / "var/lib/clawstack/volume" / spec.slug / "config/openclaw.json"
    assert json.loads(config.read_text())["agents"]["defaults"]["model"]["primary"] == "clawstack/gpt-5-nano"
    assert starts(machine) == 1

    await rig.equipped(rig.spec(restart_nonce="again"))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY and _applied(machine))
    assert starts(machine) == 2


async def test_a_gateway_that_refuses_to_start_and_then_does_has_no_trouble(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec), {"exit": 78, "times": 3, "reason": "the lease was lost"})
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    assert starts(machine) == 4
    assert "clawstack-agent: failed" not in machine.agent_log()


@pytest.mark.parametrize("pauses", [(0.1, 0.1, 0.1), (0.1, 600)], ids=["tries are used up", "time is short"])
async def test_a_gateway_that_refuses_its_configuration_is_told_with_its_words(
    rig: Rig, pauses: tuple[float, ...]
) -> None:
    settings = rig.settings(refusal_pauses=pauses)
    spec = await rig.equipped(settings=settings)
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec, settings), {"exit": 78, "reason": "unknown key agents.defaults.modle"})
    failed = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.FAILED)
    assert failed.code == "gateway_refused_config"
    assert failed.reason is not None
    assert "unknown key agents.defaults.modle" in failed.reason
    assert PLANTED_PROXY not in failed.reason, "the gateway printed its token"

    machine.behave()
    await rig.equipped(rig.spec(restart_nonce="mended"))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)


async def test_another_tenants_disk_stays_shut_and_a_foreign_one_is_not_formatted(rig: Rig) -> None:
    disk = rig.disk()
    first = await rig.equipped(rig.spec("first-tenant-abcdef"))
    machine = rig.machine(disk)
    await machine.boot(rig.user_data(first))
    await rig.reported(first, lambda machine: machine.phase is MachinePhase.READY)
    machine.power_off()

    second = await rig.equipped(rig.spec("second-tenant-abcdef"))
    wrong = rig.machine(disk)
    await wrong.boot(rig.user_data(second))
    failed = await rig.reported(second, lambda machine: machine.phase is MachinePhase.FAILED)
    assert failed.code == "volume_locked"
    assert not asked(wrong, "cryptsetup", "luksFormat")

    foreign = rig.disk("foreign")
    (foreign.folder / "header.json").write_text('{"fs": true}')
    third = await rig.equipped(rig.spec("third-tenant-abcdef"))
    other = rig.machine(foreign)
    await other.boot(rig.user_data(third))
    failed = await rig.reported(third, lambda machine: machine.phase is MachinePhase.FAILED)
    assert failed.code == "volume_not_blank"
    assert not asked(other, "cryptsetup", "luksFormat")


async def test_a_wrong_node_ends_the_bootstrap_and_the_platform_hears_it(rig: Rig) -> None:
    settings = rig.settings(
        node={"version": "26.10.0", "sha256": {"x64": "0" * 64}, "url": f"{rig.root}/release/{{arch}}.tar.xz"}
    )
    spec = await rig.equipped(settings=settings)
    machine = rig.machine(rig.disk())
    machine.prepare(rig.user_data(spec, settings))
    done = await asyncio.to_thread(machine.bootstrap)
    assert done.returncode == 1
    failed = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.FAILED)
    assert failed.code == "checksum_mismatch"
    assert failed.used_at is None, "the boot token was not used up"
    assert not (machine.root / "opt/clawstack/node/26.10.0").exists()


async def test_a_wrong_lock_file_installs_nothing(rig: Rig) -> None:
    settings = rig.settings(openclaw={"version": "2026.9.6", "lock_sha256": "0" * 64})
    spec = await rig.equipped(settings=settings)
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec, settings))
    failed = await rig.reported(spec, lambda machine: machine.phase is MachinePhase.FAILED)
    assert failed.code == "checksum_mismatch"
    assert not list((machine.root / "opt/clawstack/openclaw").glob("*"))


async def test_a_machine_that_is_shut_out_stops_its_gateway(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)
    await rig.channel.close(spec.slug)
    await rig.until(lambda: "ActiveState=inactive" in machine.systemctl("show", "clawstack-gateway.service"))
    await rig.until((machine.root / "stub/clawstack-agent.service.exit").exists)
    assert (machine.root / "stub/clawstack-agent.service.exit").read_text().strip() == "77"


async def test_a_new_cell_begins_with_another_cells_backup(rig: Rig) -> None:
    old = await rig.equipped(rig.spec("old-tenant-abcdef"))
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(old))
    ready = await rig.reported(old, lambda machine: machine.phase is MachinePhase.READY)
    (machine.disk.state / "state/openclaw.sqlite").write_text("what was remembered")
    copy = machine.disk.state / "workspace/my copy/state"  # the customer's, of whatever
    copy.mkdir(parents=True)
    (copy / "openclaw.sqlite").touch()
    assert (await rig.done(await rig.channel.order(ready.key, OrderKind.RETIRE))).ok
    machine.power_off()

    spec = rig.spec()
    [manifest] = manifests(spec.directories.backups, old.slug)
    key = old.backup_key.get_secret_value()
    assert key != spec.backup_key.get_secret_value()
    driver = ServerDriver(settings=rig.settings(), channel=rig.channel)
    told: list[str] = []
    for _ in range(2):
        archive = Archive(folder=spec.directories.backups, manifest=manifest, key=key)
        await driver.restore(spec, archive, tell=told.append)
    once = rig.settings(refusal_pauses=())
    new = await rig.equipped(spec, settings=once)
    successor = rig.machine(rig.disk("another"))
    # The small gateway writes its memory anew at each start; this one shows what it found.
    await successor.boot(rig.user_data(new, once), {"exit": 78, "reason": "looked"})
    await rig.reported(new, lambda machine: machine.phase is MachinePhase.FAILED)
    assert successor.disk.state.joinpath("starts.log").read_text().count("\n") == 2, "one start there, one here"
    assert not list(successor.disk.state.parent.glob("restore-*"))
    successor.behave()
    await rig.equipped(rig.spec(restart_nonce="go"))
    await rig.reported(new, lambda machine: machine.phase is MachinePhase.READY)
    await rig.until(lambda: not (spec.directories.backups / spec.slug / ".restore").exists())
    await driver.restore(spec, archive, tell=told.append)
    assert told[-1] == "The assistant has a memory already; it is left alone."


async def test_logs_arrive_without_secrets(rig: Rig) -> None:
    spec = await rig.equipped()
    machine = rig.machine(rig.disk())
    await machine.boot(rig.user_data(spec))
    await rig.reported(spec, lambda machine: machine.phase is MachinePhase.READY)

    async def arrived() -> list[str]:
        lines, _ = await rig.channel.log(spec.slug)
        return lines

    lines = await rig.awaited(arrived)
    assert "small gateway starts" in lines[0]
    assert PLANTED_PROXY not in "".join(lines)


def test_the_agent_is_valid_for_the_node_that_runs_it(tmp_path: Path) -> None:
    file = tmp_path / "agent.mjs"
    file.write_text(agent_source("agent.mjs"))
    done = subprocess.run(
        [locate().node, "--check", file], capture_output=True, text=True, timeout=patient(20), check=False
    )
    assert done.returncode == 0, done.stderr


def _applied(machine: MachineState) -> bool:
    return machine.applied_version == machine.wanted_version
