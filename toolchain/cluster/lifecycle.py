"""Starts and stops the cluster of this machine: one at a time, and without a trace afterwards."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from clawstack.errors import ConflictError, InvalidInputError
from toolchain.cluster import builds, machine, processes
from toolchain.cluster.bring_up import Ingredients, bring_up
from toolchain.cluster.images import image_references, image_store
from toolchain.cluster.layout import DEFAULT_DATA, Layout, Network, Ports
from toolchain.cluster.packages import CNI
from toolchain.cluster.pins import KUBERNETES_BUILD
from toolchain.cluster.programs import programs
from toolchain.cluster.record import Book, Record
from toolchain.cluster.running import TestCluster
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress, minutes

_PORTS_FROM: Final = 21000
"""Below the range from which the kernel takes ports for outgoing connections (32768 and up)."""
_LONGEST_FOLDER: Final = 85
"""A socket's path has at most 107 characters (unix(7)), and containerd makes `containerd.sock.ttrpc` in the folder."""
_MARKER: Final = ".clawstack-cluster"


def start(
    *,
    data: Path = DEFAULT_DATA,
    kubeconfig: Path | None = None,
    stays: bool = False,
    around: Surroundings | None = None,
    console: Console | None = None,
    book: Book | None = None,
) -> TestCluster:
    """A fresh cluster on this machine, ready for pods; what is missing of its programs is built first.

    It belongs to the calling process and is cleared away by the next start when that has died, unless it `stays` until
    `stop`. `kubeconfig`: where to leave a copy of the administrator's. Needs root.

    Raises ConflictError when one is in use or this machine is a node already, NeedsAttentionError (with the end of the
    log) when a component does not come up: then all is taken back but the data folder with the logs.
    """
    around, console, book = around or Surroundings.read(), console or Console(quiet=True), book or Book()
    board = Board(console)
    progress = Progress(board=board, name="Test cluster")
    with book.turn():
        _clear_old(book, progress)
    builds.ensure(around, board)
    began = time.monotonic()
    with book.turn():
        _clear_old(book, progress)
        record = _begin(book, data, stays=stays)
        try:
            bring_up(book, record.layout, _ingredients(around), progress.note)
            book.change(ready=True)
        except BaseException:
            _take_back(book, record)
            raise
    cluster = _described(around, book, record.layout)
    if kubeconfig is not None:
        _copy(cluster.kubeconfig, kubeconfig)
    progress.ready(f"Kubernetes {KUBERNETES_BUILD.version} and a node, in {minutes(time.monotonic() - began)}")
    return cluster


def attach(*, around: Surroundings | None = None, book: Book | None = None) -> TestCluster | None:
    """The cluster that runs on this machine, None where none does."""
    around, book = around or Surroundings.read(), book or Book()
    record = book.read()
    if record is None or not record.ready or not record.in_use:
        return None
    return _described(around, book, record.layout)


def stop(*, book: Book | None = None) -> bool:
    """End the cluster of this machine, or what is left of one, and remove every trace. False where there is none."""
    book = book or Book()
    with book.turn():
        record = book.read()
        if record is None:
            return False
        _take_back(book, record)
        machine.remove_data(record.layout.data)
        return True


def _ingredients(around: Surroundings) -> Ingredients:
    return Ingredients(
        programs=programs(around),
        cni_binaries=CNI.require(around).parent,
        image_store=image_store(around),
        helper_image=image_references(around)["busybox"],
    )


def _described(around: Surroundings, book: Book, layout: Layout) -> TestCluster:
    references = image_references(around)
    return TestCluster(
        layout=layout,
        programs=programs(around),
        book=book,
        image=references["openclaw"],
        shell_image=references["busybox"],
    )


def _clear_old(book: Book, progress: Progress) -> None:
    old = book.read()
    if old is None:
        return
    if old.in_use:
        whose = f"process {old.owner.pid}" if old.owner else "`cluster start`"
        raise ConflictError(
            f"A test cluster runs here already, started by {whose} in {old.layout.data}.",
            code="cluster_in_use",
            remedy="Use it, or end it with `python -m toolchain cluster stop`.",
        )
    progress.note("clearing away what a killed run left")
    _take_back(book, old)
    machine.remove_data(old.layout.data)


def _begin(book: Book, data: Path, *, stays: bool) -> Record:
    network = Network()
    machine.refuse_neighbours(network)
    _empty(data)
    layout = Layout(run=secrets.token_hex(8), data=data.resolve(), network=network, ports=_draw_ports())
    owner = None if stays else processes.here()
    # Written before the first change, so that whatever happens next can be taken back.
    return book.write(Record(layout=layout, owner=owner, kernel_settings=machine.read_settings()))


def _empty(data: Path) -> None:
    if len(str(data.resolve())) > _LONGEST_FOLDER:
        raise InvalidInputError(
            f"{data} is too long a path for a socket in it; at most {_LONGEST_FOLDER} characters are allowed."
        )
    if data.exists() and any(data.iterdir()) and not (data / _MARKER).exists():
        raise InvalidInputError(
            f"{data} holds something else and is not touched.", remedy="Name a folder that is empty or not there."
        )
    machine.remove_data(data)
    data.mkdir(mode=0o711, parents=True)
    (data / _MARKER).touch()


def _draw_ports() -> Ports:
    names = Ports.__dataclass_fields__
    free = (port for port in range(_PORTS_FROM, _PORTS_FROM + 2000) if _is_free(port))
    return Ports(**{name: next(free) for name in names})


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def _take_back(book: Book, record: Record) -> None:
    """Everything but the data folder. Safe to repeat after a kill in the middle."""
    latest = book.read()
    known = {*record.processes.values(), *(latest.processes.values() if latest else ())}

    def ended() -> bool:
        # Nothing in it is kept, so nobody is asked to finish. A start that was killed may have made processes that
        # it did not write down; they carry the mark of the run.
        processes.stop({*known, *processes.marked(record.layout.run)}, grace=0, first=signal.SIGKILL)
        return not processes.marked(record.layout.run)

    processes.await_(ended, seconds=20)
    machine.restore(record.layout, record.kernel_settings)
    book.forget()


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        shutil.copyfile(source, target)
    except OSError as error:
        raise InvalidInputError(f"The kubeconfig cannot be written to {target}: {error.strerror}.") from error
