"""The process between supervisord and a gateway: `python -I -m tenants.process.launcher launch/<slug>.json`.

It takes the cell's lock, ends what a crashed predecessor left, waits a little after repeated failures, sets limits,
starts the gateway as the cell's account in a session of its own, watches its memory, hands SIGTERM on, and when the
gateway is gone ends everything that is left of the tree. It dies with supervisord (Linux), and the gateway with it: no
gateway ever runs unwatched.

Exit codes: 0 stopped as told; 78 the gateway needs an operator (supervisord does not start it again); 1 anything else.
"""

from __future__ import annotations

import errno
import math
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clawstack import untrusted_tree
from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.locks import locked
from tenants.paths import CellPaths
from tenants.process import wall
from tenants.process.accounts import Ids
from tenants.process.disk import DiskWatch, lacks_room, used
from tenants.process.files import read_json, write_file, write_json
from tenants.process.launch import Launch
from tenants.process.limits import join_control_group, limit_cpu, process_limit, set_own_limits, set_process_limit
from tenants.process.run_as import command, die_with_parent
from tenants.process.silence import SilenceWatch
from tenants.process.trees import MARKER, TreeOwner, end_all, resident_mb

#: OpenClaw's exit code for "an operator must act" (`gateway/gateway-lock.md`).
NEEDS_OPERATOR: Final = 78
_STEADY_SECONDS: Final = 60.0
"""A gateway that ran this long starts without delay when it exits."""
_BACKOFF: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_WATCH_SECONDS: Final = 5.0
_CPU_GRACE_SECONDS: Final = 30.0
_LOCK_SECONDS: Final = 400.0
"""A predecessor may drain for 330 s."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Files beside the launch file."""

    launch: Path

    @property
    def _folder(self) -> Path:
        return self.launch.parent.parent / "run"

    @property
    def record(self) -> Path:
        return self._folder / self.launch.name

    @property
    def lock(self) -> Path:
        return self._folder / f"{self.launch.stem}.lock"


@dataclass
class Signals:
    """SIGTERM and SIGCHLD as something to wait for, without losing one."""

    _stop: bool = False
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def install(self) -> None:
        for end in self._pipe:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told)

    def _told(self, *_: Any) -> None:
        self._stop = True

    def stopped(self) -> bool:
        """Whether somebody said stop."""
        return self._stop

    def wait(self, seconds: float) -> None:
        """Return on any signal, or after `seconds`."""
        ready, _, _ = select.select([self._pipe[0]], [], [], max(0.0, seconds))
        if ready:
            os.read(self._pipe[0], 4096)


def main() -> None:
    """Run until the gateway is gone or somebody says stop."""
    place = Place(launch=Path(sys.argv[1]).absolute())
    signals = Signals()
    signals.install()
    die_with_parent()
    try:
        launch = Launch.read(place.launch)
    except (KeyError, TypeError):
        _say(f"{place.launch} is missing or not of this version; an `up` of the cell writes it anew")
        sys.exit(NEEDS_OPERATOR)
    try:
        with locked(place.lock, seconds=_LOCK_SECONDS, what=f"The gateway of {launch.slug}"):
            sys.exit(_run(launch, place, signals))
    except (TemporaryError, NeedsAttentionError) as error:
        _say(error.sentence())
        sys.exit(NEEDS_OPERATOR if isinstance(error, NeedsAttentionError) else 1)


def _run(launch: Launch, place: Place, signals: Signals) -> int:
    owner = TreeOwner(root=launch.root, uid=launch.uid)
    if left := end_all(owner, grace=launch.stop_seconds):
        _say(f"ended {len(left)} processes that a predecessor left: {left}")
    if (full := _no_room(launch, place, signals)) is not None:
        _remember(place, launcher_pid=None, gateway_pid=None, last_exit=_exit_for(full, kind="disk_full"))
        _say(f"the gateway is not started: {full}")
        return NEEDS_OPERATOR
    failures = int(read_json(place.record).get("failures", 0))
    _pause(_BACKOFF[min(failures, len(_BACKOFF) - 1)], signals)
    if signals.stopped():
        return 0
    started = time.time()
    try:
        reason, code = _one_life(launch, place, owner, signals)
    except (OSError, subprocess.SubprocessError) as error:
        reason, code = f"the gateway could not be started: {error}", NEEDS_OPERATOR
    except TemporaryError as error:
        reason, code = error.sentence(), 1
    wanted = signals.stopped() and not reason
    _remember(
        place,
        launcher_pid=None,
        gateway_pid=None,
        failures=0 if wanted or time.time() - started >= _STEADY_SECONDS else failures + 1,
        last_exit={"code": code, "at": time.time(), "reason": reason or _why(code, wanted)},
    )
    _say(f"gateway exited: {reason or _why(code, wanted)}")
    return 0 if wanted else (NEEDS_OPERATOR if code == NEEDS_OPERATOR else 1)


def _no_room(launch: Launch, place: Place, signals: Signals) -> str | None:
    """Why the cell's own files keep it from starting; waits while it is the platform's disk that lacks room."""
    root = Path(launch.root)
    untrusted_tree.remove(CellPaths(root=root).temporary)  # nobody of the cell lives; every start finds it empty
    lacking = lacks_room(root)
    while lacking is not None and not signals.stopped():
        _remember(place, launcher_pid=os.getpid(), gateway_pid=None, last_exit=_exit_for(lacking, kind="no_room"))
        _pause(_WATCH_SECONDS, signals)
        lacking = lacks_room(root, again=True)
    use = used(CellPaths(root=root), launch.limits)
    _remember(place, disk=use.record())
    return use.trouble()


def _exit_for(reason: str, *, kind: str) -> dict[str, Any]:
    code = NEEDS_OPERATOR if kind == "disk_full" else 1
    return {"code": code, "at": time.time(), "reason": reason, "kind": kind}


def _one_life(launch: Launch, place: Place, owner: TreeOwner, signals: Signals) -> tuple[str | None, int]:
    """From start to end of one gateway: why it was ended, if it was for its memory, and its exit code."""
    _wall_in(launch)
    groups = join_control_group(launch.slug, launch.limits)
    set_own_limits(launch.limits)
    gateway = _start(launch)
    starts = int(read_json(place.record).get("starts", 0)) + 1
    _remember(
        place,
        launcher_pid=os.getpid(),
        gateway_pid=gateway.pid,
        started_at=time.time(),
        starts=starts,
        control_groups=groups,
        launch_digest=launch.digest(),
    )
    reason = _watch(gateway, launch, owner, signals, place, by_group="memory" in groups)
    return reason, _finish(gateway, launch, owner)


def _wall_in(launch: Launch) -> None:
    """A gateway never starts without its wall where walls are possible."""
    if launch.uid is None:
        return
    if why := wall.open_for(launch):
        _say(f"the gateway is not walled in: {why}")
    write_file(CellPaths(root=Path(launch.root)).hosts, wall.hosts_file(launch.reaches), mode=0o644)


def _remember(place: Place, **facts: Any) -> None:
    write_json(place.record, {**read_json(place.record), **facts})


def _pause(seconds: float, signals: Signals) -> None:
    deadline = time.monotonic() + seconds
    while not signals.stopped() and (left := deadline - time.monotonic()) > 0:
        signals.wait(left)


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the program is the platform's own
        _argv(launch),
        env={**launch.environment, MARKER: launch.root},
        cwd=launch.directory,
        stdin=subprocess.DEVNULL,
        umask=0o077,
        start_new_session=True,
        preexec_fn=_in_child(process_limit(launch.limits, uid=launch.uid)),  # noqa: PLW1509 - one thread only
    )


def _argv(launch: Launch) -> list[str]:
    if shutil.which(launch.argv[0]) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), launch.argv[0])
    ids = None if launch.uid is None or launch.gid is None else Ids(uid=launch.uid, gid=launch.gid)
    return command(ids, Path(launch.root), *launch.argv)


def _in_child(count: int) -> Callable[[], None]:
    def prepare() -> None:
        set_process_limit(count)
        die_with_parent()
        try:
            Path("/proc/self/oom_score_adj").write_text("500")  # the gateway, not its launcher
        except OSError:
            return

    return prepare


def _watch(
    gateway: subprocess.Popen[bytes],
    launch: Launch,
    owner: TreeOwner,
    signals: Signals,
    place: Place,
    *,
    by_group: bool,
) -> str | None:
    """Until the gateway is gone or must go; why, when it is its memory, the disk or its silence."""
    steady = time.monotonic() + _CPU_GRACE_SECONDS
    silence = SilenceWatch(port=launch.port, seconds=launch.silence_seconds)
    disk = DiskWatch(CellPaths(root=Path(launch.root)), launch.limits, owner)
    while gateway.poll() is None and not signals.stopped():
        signals.wait(_WATCH_SECONDS)
        if time.monotonic() >= steady:
            steady = math.inf
            limit_cpu(launch.slug, launch.limits)
        if gateway.poll() is None and (reason := _disk_trouble(disk, launch, place)) is not None:
            return reason
        if gateway.poll() is None and (reason := silence.look()) is not None:
            gateway.kill()  # what answers nothing finishes no turn either
            return reason
        if by_group or gateway.poll() is not None:
            continue
        if (used := resident_mb(owner)) > launch.limits.memory_mb:
            return f"used {used} MiB of {launch.limits.memory_mb} MiB memory"
    return None


def _disk_trouble(disk: DiskWatch, launch: Launch, place: Place) -> str | None:
    if (use := disk.look()) is not None:
        _remember(place, disk=use.record())
    return (use.trouble() if use else None) or lacks_room(Path(launch.root))


def _finish(gateway: subprocess.Popen[bytes], launch: Launch, owner: TreeOwner) -> int:
    """The gateway's exit code, after everything of the cell has ended."""
    if gateway.poll() is None:
        gateway.terminate()
        try:
            gateway.wait(launch.stop_seconds)
        except subprocess.TimeoutExpired:
            gateway.kill()
    code = gateway.wait()
    if left := end_all(owner, grace=1.0):
        _say(f"ended {len(left)} processes that outlived the gateway: {left}")
    return code


def _why(code: int, wanted: bool) -> str:
    if wanted:
        return "stopped as told"
    if code < 0:
        return f"killed by signal {-code}"
    if code == NEEDS_OPERATOR:
        return f"exit code {code}: an operator must act"
    return f"exit code {code}"


def _say(text: str) -> None:
    sys.stdout.write(f"[clawstack] {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
