"""The provider's process handling against real accounts, a real supervisor and real processes."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.plugin_server.values import reveal
from tenants.process import supervision, supervisord
from tenants.process.accounts import Ids
from tenants.process.launcher import NEEDS_OPERATOR
from tenants.process.run_as import command
from tenants.process_provider.gateway import launch_of, observed_desired
from tests.integration.tenants.harness import PLANTED, Cell, Place, in_threads, until
from tests.mounting import small_disk
from tests.unit.tenants.calls import Aborted

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="cells get accounts of their own only where the platform is root"
)


@contextmanager
def answering_like_a_gateway(port: int) -> Iterator[None]:
    """Another account's server on the cell's port, which says that it has started."""

    class Liar(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ok": true, "version": "2026.1.1"}')

        def log_message(self, *_: object) -> None:
            return

    def bound() -> http.server.HTTPServer | None:
        try:
            return http.server.HTTPServer(("127.0.0.1", port), Liar)
        except OSError:
            return None

    with until(bound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_a_gateway_comes_up_as_its_own_account_and_goes_without_a_trace(cell: Cell, place: Place) -> None:
    cell.up()
    pid = cell.running_pid()
    process = psutil.Process(pid)
    assert cell.status().version == "2026.1.1"
    assert cell.states["Gateway"][1]["pid"] == pid
    if os.geteuid() == 0:
        assert process.username() == cell.spec.account
    cell.destroy()
    assert not process.is_running()
    assert not cell.paths.root.exists()
    assert not cell.processes()
    assert list(place.supervisor.glob("programs/*")) == []
    assert list(place.supervisor.glob("launch/*")) == []
    assert len(list((place.folder / "backups" / cell.spec.slug).glob("*.tar.gz.enc"))) == 1


def test_a_second_up_changes_nothing_and_restarts_nothing(cell: Cell) -> None:
    cell.up()
    first = cell.starts()
    assert cell.changes("Gateway", cell.gateway_inputs()) == []
    cell.up()
    assert cell.starts() == first


def test_creating_what_exists_adopts_it(cell: Cell) -> None:
    """A killed engine forgets what it made; the repeat must not make a second one."""
    cell.up()
    pid = cell.running_pid()
    again = Cell(spec=cell.spec)
    again.up()
    assert again.running_pid() == pid
    assert again.starts() == [pid]


def test_a_killed_gateway_is_started_again(cell: Cell) -> None:
    cell.up()
    pid = cell.running_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: cell.status().pid not in {None, pid} and cell.status().state == "running", what="a new gateway")
    status = cell.status()
    assert status.starts == 2
    assert status.last_exit == "killed by signal 9"


def test_no_process_survives_not_even_one_that_left_its_session(cell: Cell, place: Place) -> None:
    place.behave(runaway=True)
    cell.up()
    runaway = [process for process in cell.processes() if process.pid != cell.running_pid()]
    assert runaway, "the small gateway started no grandchild"
    os.kill(cell.running_pid(), signal.SIGKILL)
    until(lambda: not any(process.is_running() for process in runaway), what="the end of the runaway")
    cell.running_pid()
    cell.destroy()
    assert not cell.processes()


def test_a_killed_supervisor_takes_its_gateways_along_and_an_up_brings_them_back(cell: Cell) -> None:
    cell.up()
    pid = cell.running_pid()
    daemon = supervisord.find(cell.supervisor)[0]
    daemon.kill()
    until(lambda: not psutil.pid_exists(pid), what="the end of the orphaned gateway")
    assert cell.status().state == "down"
    assert cell.changes("Gateway", cell.gateway_inputs()) == ["desired"]
    cell.up()
    assert cell.running_pid() != pid
    assert len(cell.processes()) == 1


def test_whoever_starts_the_supervisor_again_has_all_gateways_back(new_cell: Callable[..., Cell], place: Place) -> None:
    """What the health sweep does after a reboot: no Pulumi needed. A suspended cell stays asleep."""
    first, second, asleep = new_cell(), new_cell(), new_cell(desired="suspended")
    for cell in (first, second, asleep):
        cell.up()
    supervisord.stop(place.supervisor)
    assert not first.processes()
    supervisord.ensure_running(place.supervisor)
    first.running_pid()
    second.running_pid()
    assert asleep.status().state == "stopped"
    assert not asleep.processes()


def test_stopping_works_although_the_supervisor_is_deaf(cell: Cell) -> None:
    cell.up()
    daemon = supervisord.find(cell.supervisor)[0]
    daemon.suspend()
    try:
        cell.delete("Gateway")
        assert not cell.processes()
    finally:
        daemon.resume()
    until(lambda: cell.status().state == "stopped")
    assert not cell.processes()


def test_two_racing_starters_start_one_supervisor(place: Place) -> None:
    starters = [lambda: supervisord.ensure_running(place.supervisor) for _ in range(4)]
    in_threads(*starters)
    from tenants.paths import SupervisorPaths

    assert len(supervisord.find(SupervisorPaths(folder=place.supervisor))) == 1


def test_two_cells_come_up_at_once(new_cell: Callable[..., Cell]) -> None:
    cells = [new_cell(), new_cell(), new_cell()]
    in_threads(*(cell.up for cell in cells))
    assert len({cell.running_pid() for cell in cells}) == 3
    in_threads(*(cell.destroy for cell in cells))
    assert not [process for cell in cells for process in cell.processes()]


def test_exit_code_78_says_why_and_is_not_tried_again(cell: Cell, place: Place) -> None:
    place.behave(exit=78, reason="the configuration is of a newer version")
    with pytest.raises(Aborted, match="refuses to start") as caught:
        cell.up()
    assert "the configuration is of a newer version" in str(caught.value)
    assert not [planted for planted in PLANTED if planted in str(caught.value)]
    until(lambda: cell.status().state == "needs_attention")  # supervisord notices the launcher's end a moment later
    assert cell.status().last_exit_code == NEEDS_OPERATOR
    assert len(cell.starts()) == 1
    place.behave()
    cell.up()  # the resource was kept in the state: an update goes on with it
    cell.running_pid()


def test_a_gateway_that_keeps_dying_fails_the_operation_with_its_last_words(cell: Cell, place: Place) -> None:
    place.behave(exit=3, reason="no room")
    with pytest.raises(Aborted, match=r"ended 3 times.*exit code 3(.|\n)*no room"):
        cell.up()
    cell.destroy()
    assert not cell.processes()


def test_a_program_that_is_not_there_is_named_at_once(new_cell: Callable[..., Cell], place: Place) -> None:
    runtime = {"node": place.folder / "nowhere", "openclaw": place.folder / "small" / "openclaw.mjs"}
    cell = new_cell(runtime={**runtime, "version": "2026.1.1"})
    with pytest.raises(Aborted, match=r"refuses to start(.|\n)*nowhere"):
        cell.up()
    assert cell.status().state == "needs_attention"
    assert "could not be started" in cell.status().last_exit


def test_a_gateway_of_another_version_is_not_accepted(cell: Cell, place: Place) -> None:
    place.behave(version="2020.1.1")
    with pytest.raises(Aborted, match=r"has version '2020\.1\.1', not '2026\.1\.1'"):
        cell.up()


def test_a_taken_port_is_named_before_anything_starts(cell: Cell) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", cell.spec.port))
        holder.listen()
        with pytest.raises(
            TemporaryError, match=rf"Port {cell.spec.port} .* is taken by process {os.getpid()}"
        ) as refused:
            cell.up()
    assert refused.value.code == "port_in_use"
    assert cell.starts() == []


@as_root
def test_a_port_that_a_stranger_took_is_seen_even_when_he_answers_like_a_gateway(cell: Cell, place: Place) -> None:
    cell.up()
    pid = cell.running_pid()
    place.behave(delay_ms=10**9, exit=1)  # it comes back no more
    psutil.Process(pid).kill()
    with answering_like_a_gateway(cell.spec.port):
        until(lambda: cell.status().state == "down")
        assert f"port {cell.spec.port}" in cell.status().last_exit
        assert observed_desired(reveal(cell.gateway_inputs())) == "stopped", "else a refresh finds nothing to mend"
    place.behave()


@as_root
def test_a_gateway_that_answers_nothing_any_more_is_killed_and_started_again(cell: Cell) -> None:
    cell.up()
    frozen = psutil.Process(cell.running_pid())
    shorter = replace(launch_of(reveal(cell.gateway_inputs())), silence_seconds=2.0)
    supervision.start(cell.spec.directories.supervisor, shorter)
    frozen = psutil.Process(until(lambda: (p := cell.running_pid()) != frozen.pid and p))
    asked = cell.paths.state / "asked.log"
    until(lambda: asked.exists() and str(frozen.pid) in asked.read_text().split())  # it has answered once
    frozen.suspend()
    until(lambda: not frozen.is_running())
    assert cell.running_pid() != frozen.pid
    assert "did not answer on /healthz for 2 s" in cell.status().last_exit


def test_suspending_stops_and_keeps_and_resuming_starts(cell: Cell) -> None:
    cell.up()
    running = cell.spec
    cell.spec = running.model_copy(update={"desired": "suspended"})
    cell.up()
    assert cell.status().state == "stopped"
    assert not cell.processes()
    assert (cell.paths.state / "state" / "openclaw.sqlite").exists()
    assert cell.changes("Gateway", cell.gateway_inputs()) == []
    cell.spec = running
    cell.up()
    cell.running_pid()


def test_only_what_openclaw_cannot_reload_restarts_it(cell: Cell) -> None:
    cell.up()
    pid = cell.running_pid()
    cell.spec = cell.spec.model_copy(update={"models": cell.spec.models.model_copy(update={"primary": "gpt-5-nano"})})
    assert cell.changes("Gateway", cell.gateway_inputs()) == ["config"]
    cell.up()
    assert cell.running_pid() == pid
    config = json.loads(cell.paths.config.read_text())
    assert config["agents"]["defaults"]["model"]["primary"] == "clawstack/gpt-5-nano"
    cell.spec = cell.spec.model_copy(update={"restart_nonce": "2026-11-21T08:00"})
    cell.up()
    assert cell.running_pid() != pid


def test_an_edited_configuration_is_drift_and_is_mended(cell: Cell) -> None:
    cell.up()
    cell.paths.config.write_text("{}")
    assert cell.changes("Gateway", cell.gateway_inputs()) == ["config"]
    cell.up()
    assert cell.paths.config.read_text() == cell.plan.config


@as_root
def test_another_cells_account_can_read_nothing(new_cell: Callable[..., Cell]) -> None:
    mine, theirs = new_cell(), new_cell()
    mine.up()
    theirs.up()
    account = theirs.states["Account"][1]
    ids = Ids(uid=account["uid"], gid=account["gid"])
    for target in (
        mine.paths.state,
        mine.paths.config,
        mine.paths.log,
        mine.spec.directories.supervisor,
        mine.paths.root,
    ):
        tool = "/bin/ls" if target.is_dir() else "/bin/cat"
        tried = subprocess.run(command(ids, theirs.paths.root, tool, target), capture_output=True, check=False)
        assert b"Permission denied" in tried.stderr, f"the other cell can read {target}: {tried.stdout!r}"


def test_planted_secrets_are_in_no_argument_log_or_readable_file(cell: Cell, place: Place) -> None:
    cell.up()
    cell.running_pid()
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(cell.spec.port) in listed
    assert not [planted for planted in PLANTED if planted in listed]
    allowed = cell.supervisor.launch(cell.spec.slug)
    assert stat.S_IMODE(allowed.stat().st_mode) == 0o600
    # the gateway itself wrote its token into its log: that file is root's alone
    files = [path for path in place.folder.rglob("*") if path.is_file() and path not in {allowed, cell.paths.log}]
    found = [path for path in files if any(planted.encode() in path.read_bytes() for planted in PLANTED)]
    assert found == []


def test_a_failed_backup_stops_the_erasing_and_says_what_to_do(cell: Cell, place: Place) -> None:
    cell.up()
    place.behave(no_backup=True)
    cell.delete("Gateway")
    with pytest.raises(Exception, match="the database is locked") as caught:
        cell.delete("StateDirectory")
    assert "nothing was erased" in getattr(caught.value, "remedy", "")
    assert (cell.paths.state / "state" / "openclaw.sqlite").exists()
    place.behave(verified=False)
    with pytest.raises(Exception, match="verified=False"):
        cell.delete("StateDirectory")
    place.behave()
    cell.destroy()
    assert not cell.paths.root.exists()


@as_root
def test_a_full_disk_stops_the_erasing(cell: Cell, place: Place) -> None:
    cell.up()
    cell.delete("Gateway")
    backups = place.folder / "backups"
    with small_disk(backups, "64k"):
        (cell.paths.state / "big").write_bytes(os.urandom(200_000))
        with pytest.raises(NeedsAttentionError, match="No space left on device") as caught:
            cell.delete("StateDirectory")
        assert "Make room" in str(caught.value.remedy)
        assert (cell.paths.state / "state" / "openclaw.sqlite").exists()
        assert list(backups.rglob("*.enc")) == []
    cell.destroy()
    assert not cell.paths.root.exists()


def test_an_operator_can_erase_without_a_backup(new_cell: Callable[..., Cell], place: Place) -> None:
    cell = new_cell(skip_backup=True)
    cell.up()
    place.behave(no_backup=True)
    cell.destroy()
    assert not cell.paths.root.exists()
    assert not (place.folder / "backups" / cell.spec.slug).exists()


def test_a_delete_that_was_killed_after_the_backup_does_not_back_up_again(cell: Cell, place: Place) -> None:
    cell.up()
    cell.delete("Gateway")
    cell.paths.erased_marker.write_text('{"archive": "x"}')
    (cell.paths.state / "state" / "openclaw.sqlite").unlink()  # half erased
    cell.destroy()
    assert not cell.paths.root.exists()
    assert not (place.folder / "backups").exists()


def test_deleting_twice_is_fine(cell: Cell) -> None:
    cell.up()
    states = dict(cell.states)
    cell.destroy()
    cell.states = states
    cell.destroy()


def test_a_sweep_finds_what_no_known_cell_owns(new_cell: Callable[..., Cell], place: Place) -> None:
    known, unknown = new_cell(), new_cell()
    known.up()
    unknown.up()
    pid = unknown.running_pid()
    found = supervision.orphans(place.supervisor, [known.spec.slug])
    assert [(orphan.slug, orphan.has_program, pid in orphan.pids) for orphan in found] == [
        (unknown.spec.slug, True, True)
    ]
    supervision.end_orphan(place.supervisor, found[0])
    assert supervision.orphans(place.supervisor, [known.spec.slug]) == []
    assert not unknown.processes()
    known.running_pid()


def test_memory_beyond_the_plan_ends_the_gateway_with_a_reason(cell: Cell, place: Place) -> None:
    cell.up()
    limits = cell.spec.resources.model_copy(update={"memory_mb": 1024})
    cell.spec = cell.spec.model_copy(update={"resources": limits})
    place.behave(memory_mb=1300)
    with pytest.raises(Aborted, match=r"ended \d times|not ready"):
        cell.up()


def test_a_gateway_that_ignores_sigterm_is_ended_all_the_same(cell: Cell, place: Place) -> None:
    place.behave(deaf=True)
    cell.up()
    pid = cell.running_pid()
    launch = cell.supervisor.launch(cell.spec.slug)
    launch.write_text(launch.read_text().replace('"stop_seconds": 30.0', '"stop_seconds": 1.0'))
    os.kill(cell.running_pid(), signal.SIGKILL)
    until(lambda: cell.status().pid not in {None, pid}, what="a start with the short patience")
    cell.destroy()
    assert not cell.processes()


def test_folders_closed_to_others_are_named(new_cell: Callable[..., Cell], place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only an account of its own can be shut out")
    place.folder.chmod(0o700)
    with pytest.raises(Exception, match="is closed to others") as caught:
        new_cell().up()
    assert "chmod o+x" in getattr(caught.value, "remedy", "")
    place.folder.chmod(0o755)
