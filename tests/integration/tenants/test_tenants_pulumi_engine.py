"""A cell through the real Pulumi engine and this project's plugin."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest
from pulumi import automation as auto

from tests.integration.tenants.engine import Engine, kill_group
from tests.integration.tenants.harness import PLANTED, Cell, Place, in_threads, until


@pytest.fixture
def new_engine(place: Place) -> Callable[..., Engine]:
    def make(**changes: object) -> Engine:
        return Engine(place=place, spec=place.spec(**changes))

    return make


def test_up_update_and_destroy_of_one_cell(new_engine: Callable[..., Engine], place: Place) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    preview = engine.preview()
    assert preview.change_summary[auto.OpType.CREATE] == (6 if engine.spec.account else 5)
    outputs = {name: output.value for name, output in engine.up().outputs.items()}
    pid = cell.running_pid()
    assert outputs == {
        "endpoint": f"http://127.0.0.1:{engine.spec.port}",
        "stateDirectory": str(engine.spec.directories.root / "state"),
        "openclawVersion": "2026.1.1",
        "substrate": "process",
        "pid": pid,
    }
    same = engine.up()
    assert same.summary.resource_changes == {"same": 6 if engine.spec.account else 5}
    assert cell.running_pid() == pid
    engine.destroy()
    assert not psutil.pid_exists(pid)
    assert not cell.paths.root.exists()


def test_no_secret_and_no_childs_name_is_in_state_output_or_events(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine(answers={"child_name": "Wilhelmina", "child_birthday": "2025-09-14"})
    engine.preview()
    engine.up()
    engine.refresh()
    engine.spec = engine.spec.model_copy(update={"restart_nonce": "again"})
    engine.up()
    seen = "\n".join([*engine.lines, *engine.events])
    assert engine.spec.slug in seen
    assert engine.events
    planted = (*PLANTED, engine.spec.backup_key.get_secret_value(), "Wilhelmina")
    assert not [secret for secret in planted if secret in seen]
    for path in engine.state_files():
        content = path.read_bytes()
        assert not [secret for secret in planted if secret.encode() in content], path
    assert any(b"ciphertext" in path.read_bytes() for path in engine.state_files())


def test_refresh_sees_a_dead_gateway_and_up_mends_it(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    engine.up()
    from tenants.process import supervisord

    supervisord.stop(engine.spec.directories.supervisor)
    assert cell.status().state == "down"
    engine.refresh()
    changes = engine.up().summary.resource_changes
    assert changes is not None
    assert {str(kind): count for kind, count in changes.items()}["update"] == 1
    cell.running_pid()


def test_two_cells_at_once(new_engine: Callable[..., Engine]) -> None:
    first, second = new_engine(), new_engine()
    first.up()  # the SDK's first run of a process imports things that are not thread-safe
    third = new_engine()
    in_threads(second.up, third.up)
    cells = [Cell(spec=engine.spec) for engine in (first, second, third)]
    assert len({cell.running_pid() for cell in cells}) == 3


def test_a_failed_start_stays_in_the_state_and_the_next_up_goes_on(
    new_engine: Callable[..., Engine], place: Place
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    place.behave(exit=78, reason="told so")
    with pytest.raises(auto.CommandError) as caught:
        engine.up()
    assert "refuses to start (exit code 78)" in str(caught.value)
    place.behave()
    engine.up()
    cell.running_pid()
    engine.destroy()
    assert not cell.processes()


@pytest.mark.parametrize("moment", ["account", "state directory", "gateway process"])
def test_an_engine_killed_in_the_middle_of_create_is_no_obstacle(
    new_engine: Callable[..., Engine], place: Place, moment: str
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    place.behave(delay_ms=1500)
    seen = {
        "account": lambda: cell.processes() or cell.paths.root.exists() or _has_account(cell),
        "state directory": cell.paths.state.exists,
        "gateway process": lambda: cell.status().pid,
    }
    running = engine.start_apart("up")
    until(seen[moment], what=f"the {moment}")
    kill_group(running)
    engine.unlock()
    engine.up()
    pid = cell.running_pid()
    assert [process.pid for process in cell.processes()] == [pid]
    engine.destroy()
    assert not cell.processes()
    assert not cell.paths.root.exists()


@pytest.mark.parametrize("moment", ["gateway gone", "backup kept"])
def test_an_engine_killed_in_the_middle_of_destroy_is_no_obstacle(
    new_engine: Callable[..., Engine], place: Place, moment: str
) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    engine.up()
    pid = cell.running_pid()
    backups = place.folder / "backups" / engine.spec.slug
    seen = {
        "gateway gone": lambda: not psutil.pid_exists(pid),
        "backup kept": lambda: list(backups.glob("*.json")),
    }
    running = engine.start_apart("destroy")
    until(seen[moment], what=moment)
    kill_group(running)
    engine.unlock()
    engine.destroy()
    assert not cell.processes()
    assert not cell.paths.root.exists()
    assert len(list(backups.glob("*.json"))) >= 1


def test_a_gateway_outlives_the_process_that_ran_pulumi(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    cell = Cell(spec=engine.spec)
    running = engine.start_apart("up")
    assert running.wait(60) == 0
    assert psutil.Process(cell.running_pid()).is_running()


def _has_account(cell: Cell) -> bool:
    from tenants.process import accounts

    return cell.spec.account is not None and accounts.find(cell.spec.account) is not None
