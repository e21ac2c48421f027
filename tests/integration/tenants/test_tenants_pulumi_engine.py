"""A cell through the real Pulumi engine and this project's plugin."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from tenants.process import accounts, supervisord
from tests.integration.tenants.engine import Engine, kill_group
from tests.integration.tenants.harness import PLANTED, Cell, Place, in_threads, until


@pytest.fixture
def new_engine(place: Place) -> Callable[..., Engine]:
    """Makes engines, each for a cell of its own."""

    def make(**changes: object) -> Engine:
        return Engine(place=place, spec=place.spec(**changes))

    return make


def test_preview_up_again_and_destroy_of_one_cell(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    count = 6 if engine.spec.account else 5
    assert engine.succeed("preview").changes == {"create": count}
    assert not cell.paths.root.exists()
    first = engine.succeed("up")
    pid = cell.running_pid()
    assert first.outputs == {
        "endpoint": f"http://127.0.0.1:{engine.spec.port}",
        "stateDirectory": str(engine.spec.directories.root / "state"),
        "openclawVersion": "2026.1.1",
        "substrate": "process",
        "pid": pid,
    }
    assert engine.succeed("up").changes == {"same": count}
    assert cell.running_pid() == pid
    engine.succeed("destroy")
    assert not psutil.pid_exists(pid)
    assert not cell.paths.root.exists()
    assert "pulumi-resource-clawstack" not in first.error


def test_no_secret_and_no_childs_name_is_in_state_output_or_events(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine(answers={"child_name": "Wilhelmina", "child_birthday": "2025-09-14"})
    for verb in ("preview", "up", "refresh"):
        engine.succeed(verb)
    engine.spec = engine.spec.model_copy(update={"restart_nonce": "again"})
    engine.succeed("up")
    seen = "\n".join(engine.seen)
    assert engine.spec.slug in seen
    planted = (*PLANTED, engine.spec.backup_key.get_secret_value(), "Wilhelmina")
    assert not [secret for secret in planted if secret in seen]
    for path in engine.state_files():
        content = path.read_bytes()
        assert not [secret for secret in planted if secret.encode() in content], path
    assert any(b"ciphertext" in path.read_bytes() for path in engine.state_files())


def test_refresh_sees_a_dead_gateway_and_up_mends_it(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    engine.succeed("up")
    supervisord.stop(engine.spec.directories.supervisor)
    assert cell.status().state == "down"
    engine.succeed("refresh")
    assert engine.succeed("up").changes["update"] == 1
    cell.running_pid()


def test_two_cells_at_once(new_engine: Callable[..., Engine]) -> None:
    engines = [new_engine(), new_engine()]
    in_threads(*(lambda engine=engine: engine.succeed("up") for engine in engines))
    cells = [Cell(spec=engine.spec) for engine in engines]
    assert len({cell.running_pid() for cell in cells}) == 2
    in_threads(*(lambda engine=engine: engine.succeed("destroy") for engine in engines))
    assert not [process for cell in cells for process in cell.processes()]


def test_a_failed_start_stays_in_the_state_and_the_next_up_goes_on(
    new_engine: Callable[..., Engine], place: Place
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    place.behave(exit=78, reason="told so")
    assert "refuses to start (exit code 78: an operator must act)" in engine.run("up").error
    place.behave()
    engine.succeed("up")
    cell.running_pid()
    engine.succeed("destroy")
    assert not cell.processes()


@pytest.mark.parametrize("moment", ["account", "state directory", "gateway process"])
def test_an_engine_killed_in_the_middle_of_create_is_no_obstacle(
    new_engine: Callable[..., Engine], place: Place, moment: str
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    place.behave(delay_ms=1500)
    seen = {
        "account": lambda: cell.paths.root.exists() or _has_account(cell),
        "state directory": cell.paths.state.exists,
        "gateway process": lambda: cell.status().pid,
    }
    running = engine.start("up")
    until(seen[moment], what=f"the {moment}")
    kill_group(running)
    engine.succeed("cancel")
    engine.succeed("up")
    pid = cell.running_pid()
    assert [process.pid for process in cell.processes()] == [pid]
    engine.succeed("destroy")
    assert not cell.processes()
    assert not cell.paths.root.exists()


@pytest.mark.parametrize("moment", ["gateway gone", "backup kept"])
def test_an_engine_killed_in_the_middle_of_destroy_is_no_obstacle(
    new_engine: Callable[..., Engine], place: Place, moment: str
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    engine.succeed("up")
    pid = cell.running_pid()
    backups = place.folder / "backups" / engine.spec.slug
    seen = {
        "gateway gone": lambda: not psutil.pid_exists(pid),
        "backup kept": lambda: list(backups.glob("*.json")),
    }
    running = engine.start("destroy")
    until(seen[moment], what=moment)
    kill_group(running)
    engine.succeed("cancel")
    engine.succeed("destroy")
    assert not cell.processes()
    assert not cell.paths.root.exists()
    assert len(list(backups.glob("*.json"))) >= 1


def _has_account(cell: Cell) -> bool:
    return cell.spec.account is not None and accounts.find(cell.spec.account) is not None
