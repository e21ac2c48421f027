"""Law 3 on this machine: what the account of a process cell can reach, tried as that account."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clawstack.errors import ConflictError
from clawstack.naming import account_name
from services.cells.substrates.process.driver import ProcessDriver
from services.cli.demonstration.world import end_kept
from tenants.paths import CellPaths
from tenants.process import accounts, directories, trees, wall
from tenants.process.accounts import Ids
from tenants.process.trees import TreeOwner, end_all, processes_of
from tenants.process.wall_rules import table_of
from tests.attacks.running import as_cell, as_stranger, reach
from tests.integration.tenants.harness import Cell, Place, set_traps, until

pytestmark = pytest.mark.skipif(
    wall.shortcoming(Path("/nonexistent/probe")) is not None, reason="needs root and a kernel that takes nftables rules"
)


@contextmanager
def _listening(host: str = "127.0.0.1", kind: int = socket.SOCK_STREAM) -> Iterator[int]:
    """The port of a neighbour: TCP, or UDP that answers everybody."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as listener:
        listener.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        else:
            threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])


def _echo(listener: socket.socket) -> None:
    try:
        while True:
            data, sender = listener.recvfrom(512)
            listener.sendto(data, sender)
    except OSError:
        return


def _ids(cell: Cell) -> Ids:
    found = accounts.find(cell.spec.account or "")
    assert found is not None
    return found


def _cell_of_the_proxy(new_cell: Callable[..., Cell], port: int) -> Cell:
    root = f"http://127.0.0.1:{port}"
    return new_cell(endpoints={"llm_base_url": f"{root}/llm/v1", "telegram_api_root": f"{root}/telegram"})


def test_a_cell_reaches_the_platform_and_its_own_gateway_and_nothing_else(
    new_cell: Callable[..., Cell], place: Place
) -> None:
    with (
        _listening() as proxy,
        _listening() as database,
        _listening("::1") as six,
        _listening(kind=socket.SOCK_DGRAM) as dns,
        _listening("127.0.0.2") as elsewhere,
    ):
        mine, theirs = _cell_of_the_proxy(new_cell, proxy), _cell_of_the_proxy(new_cell, proxy)
        mine.up()
        theirs.up()
        suid = place.folder / "suid-id"
        shutil.copy("/usr/bin/id", suid)
        suid.chmod(0o4755)
        found = reach(
            _ids(mine),
            mine.paths.root,
            ("tcp", "127.0.0.1", proxy),
            ("tcp", "127.0.0.1", mine.spec.port),
            ("tcp", "127.0.0.1", theirs.spec.port),
            ("tcp", "127.0.0.1", database),
            ("tcp", "127.0.0.2", elsewhere),
            ("tcp", "::1", six),
            ("mptcp", "127.0.0.1", database),
            ("udp", "127.0.0.1", dns),
            ("udp", "127.0.0.1", proxy),
            ("tcp", "192.0.2.1", 443),
            ("tcp", "169.254.169.254", 80),
            ("name", "example.com", 443),
            ("name", "localhost", 443),
            ("raw", "127.0.0.1", 0),
            ("packet", "127.0.0.1", 0),
            ("vsock", "2", 1),
            ("smc", "127.0.0.1", database),
            ("escalate", str(suid), 0),
        )
        reached = {attempt for attempt, outcome in found.items() if outcome == "reached"}
        assert reached == {
            f"tcp 127.0.0.1 {proxy}",
            f"tcp 127.0.0.1 {mine.spec.port}",
            "name localhost 443",
        }, found
        assert "silence" not in found.values(), f"what is refused is refused at once: {found}"
        assert as_stranger(61_998, "outward", f'[["tcp", "127.0.0.1", {database}]]') == {
            f"tcp 127.0.0.1 {database}": "reached"
        }, "the wall stands around cells alone"


def test_a_wall_that_was_flushed_is_found_by_the_sweep_and_laid_again(
    new_cell: Callable[..., Cell], place: Place
) -> None:
    with _listening() as proxy, _listening() as database:
        cell = _cell_of_the_proxy(new_cell, proxy)
        cell.up()
        attempts = (("tcp", "127.0.0.1", database), ("tcp", "127.0.0.1", proxy))
        subprocess.run(["nft", "flush", "table", "inet", table_of(place.folder / "cells")], check=True, env=_SBIN)
        assert reach(_ids(cell), cell.paths.root, *attempts)[f"tcp 127.0.0.1 {database}"] == "reached"
        driver = ProcessDriver(data_dir=place.folder)
        assert driver.mend_walls() == [cell.spec.slug]
        assert driver.mend_walls() == []
        found = reach(_ids(cell), cell.paths.root, *attempts)
        assert found == {f"tcp 127.0.0.1 {database}": "ECONNREFUSED", f"tcp 127.0.0.1 {proxy}": "reached"}


def test_a_gateway_that_starts_again_lays_its_wall_first(new_cell: Callable[..., Cell], place: Place) -> None:
    """As after a reboot, when the kernel has no rules."""
    with _listening() as proxy, _listening() as database:
        cell = _cell_of_the_proxy(new_cell, proxy)
        cell.up()
        wall.take_down(place.folder / "cells")
        as_cell(_ids(cell), cell.paths.root, "squatting", "/tmp/left-behind")
        assert list(cell.paths.temporary.glob("left-*"))
        before = cell.running_pid()
        os.kill(before, 9)
        until(lambda: cell.status().state == "running" and cell.status().pid != before, what="the next start")
        assert not list(cell.paths.temporary.glob("left-*")), "every start finds /tmp empty"
        found = reach(_ids(cell), cell.paths.root, ("tcp", "127.0.0.1", database), ("tcp", "127.0.0.1", proxy))
        assert found == {f"tcp 127.0.0.1 {database}": "ECONNREFUSED", f"tcp 127.0.0.1 {proxy}": "reached"}


def test_nothing_of_a_destroyed_cell_passes_on_to_the_next_account(new_cell: Callable[..., Cell], place: Place) -> None:
    first, other = new_cell(), new_cell()
    first.up()
    other.up()
    uid, cells = _ids(first).uid, place.folder / "cells"
    stolen = f"/tmp/clawstack-test-locks-{uid}"
    assert as_cell(_ids(first), first.paths.root, "squatting", stolen) == {stolen: "taken"}
    assert not Path(stolen).exists(), "a cell's /tmp is the machine's"
    assert as_cell(_ids(other), other.paths.root, "squatting", stolen) == {stolen: "taken"}, "two cells share /tmp"
    assert wall.look(cells).uids() == {uid, _ids(other).uid}
    first.destroy()
    assert wall.look(cells).uids() == {_ids(other).uid}
    assert accounts.below(cells) == {other.spec.slug: _ids(other).uid}
    assert not first.paths.root.exists()
    other.destroy()
    listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True, env=_SBIN)
    assert table_of(cells) not in listed.stdout


def test_a_stranger_that_takes_the_lock_folder_first_stops_nobody(cell: Cell) -> None:
    """OpenClaw makes /tmp/openclaw-state-locks-UID and exits with 78 when another account owns it."""
    cell.up()
    folder = Path(f"/tmp/openclaw-state-locks-{_ids(cell).uid}")
    assert as_stranger(61_998, "squatting", str(folder)) in ({str(folder): "taken"}, {str(folder): "EEXIST"})
    try:
        found = as_cell(_ids(cell), cell.paths.root, "squatting", str(folder))
        assert found == {str(folder): "taken"}, "the cell sees the stranger's folder"
    finally:
        shutil.rmtree(folder)


def test_a_sweep_names_accounts_that_no_cell_owns(cell: Cell, place: Place) -> None:
    cell.up()
    found = ProcessDriver(data_dir=place.folder).accounts_left(frozenset())
    assert found == {cell.spec.slug: _ids(cell).uid}
    assert ProcessDriver(data_dir=place.folder).accounts_left(frozenset({cell.spec.slug})) == {}


_SBIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def test_what_ends_a_kept_demonstration_removes_its_cells_accounts(place: Place) -> None:
    """`clawstack demo --stop`: also those of cells that never came up, of which no state tells, and whatever they wrote."""
    cells, slug = place.folder / "data" / "cells", place.spec().slug
    (place.folder / "kept-processes.json").write_text("{}")
    ids = accounts.ensure(account_name(slug), slug, cells / slug)
    wall.close(cells, ids.uid)
    paths, outside = CellPaths(root=cells / slug), place.folder.with_name(f"{place.folder.name}-outside")
    directories.ensure(paths, slug, ids)
    outside.mkdir()
    (outside / "kept").touch()
    set_traps(paths, outside)
    try:
        end_kept(place.folder)
        assert [path.name for path in outside.iterdir()] == ["kept"]
    finally:
        shutil.rmtree(outside)
    assert accounts.find(account_name(slug)) is None
    assert wall.look(cells).uids() == frozenset()
    assert not place.folder.exists()


def test_an_account_of_another_platforms_cell_is_nobodys_to_take(place: Place) -> None:
    slug = place.spec().slug
    accounts.ensure(account_name(slug), slug, place.folder / "cells" / slug)
    with pytest.raises(ConflictError, match="was not made for cell"):
        accounts.ensure(account_name(slug), slug, place.folder / "elsewhere" / slug)


def test_a_cell_leaves_nothing_behind_in_the_kernel_and_is_nowhere_root(cell: Cell) -> None:
    """Shared memory and keys go by the account's number, which the next cell may get; both count as nobody's memory."""
    cell.up()
    for _ in range(2):
        assert as_cell(_ids(cell), cell.paths.root, "lingering") == {
            "shared memory": "done", "keyring": "ENOSYS", "users": "EPERM", "users by clone": "EPERM", "threads": "done",
        }  # fmt: skip
    assert as_stranger(_ids(cell).uid, "lingering")["shared memory"] == "done", "the first ones are gone"
    subprocess.run(["ipcrm", "-M", "0x1ce"], check=False, capture_output=True)


def test_a_cell_that_forks_faster_than_its_processes_are_listed_ends_all_the_same(place: Place) -> None:
    uid = 59_989
    owner = TreeOwner(root=str(place.folder), uid=uid)
    as_stranger(uid, "storm")
    until(lambda: len(processes_of(owner)) > 20, what="the storm")
    try:
        end_all(owner, grace=0.5, limit=3.0)
        assert processes_of(owner) == []
    finally:
        end_all(owner, grace=0.0, limit=30.0)


def test_what_is_never_caught_one_by_one_is_killed_with_all_of_its_account(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "_signal", lambda *_, **__: None)
    uid, mine = 59_988, subprocess.Popen(["/bin/sleep", "600"])
    theirs = [subprocess.Popen(["/bin/sleep", "600"], user=uid, group=uid, extra_groups=[]) for _ in range(3)]
    try:
        end_all(TreeOwner(root=str(place.folder), uid=uid), grace=0.0, limit=5.0)
        assert [process.poll() for process in theirs] == [-signal.SIGKILL] * 3
        assert mine.poll() is None, "nobody else's"
    finally:
        for process in (mine, *theirs):
            process.kill()
            process.wait()
