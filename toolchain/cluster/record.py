"""What a machine remembers of its cluster: one at a time, because node, packet filter and addresses are the machine's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from clawstack.errors import ConflictError, NeedsAttentionError, TemporaryError
from clawstack.locks import locked
from toolchain.cluster.layout import Layout, Network, Ports
from toolchain.cluster.processes import Process

RUN_FOLDER: Final = Path("/run/clawstack-cluster")
"""Gone after a restart of the machine, as the cluster is."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run: what was started and what was changed on this machine."""

    layout: Layout
    owner: Process | None
    """Who ends it when done; None when it shall stay until `stop`."""
    ready: bool = False
    processes: dict[str, Process] = field(default_factory=dict)
    kernel_settings: dict[str, str] = field(default_factory=dict)
    """Values from before the cluster came."""
    image: str = ""

    @property
    def in_use(self) -> bool:
        """Whether somebody may be working with it; what a killed start left is not."""
        if self.owner is not None:
            return self.owner.alive
        return self.ready and any(process.alive for process in self.processes.values())


@dataclass(frozen=True, kw_only=True)
class Book:
    """Where the record is kept."""

    folder: Path = RUN_FOLDER

    @property
    def _file(self) -> Path:
        return self.folder / "cluster.json"

    def read(self) -> Record | None:
        """The present run, None where there is none."""
        try:
            return parse(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return None

    def write(self, record: Record) -> Record:
        """Replace it in one step."""
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps(unparse(record), indent=2))
        scratch.replace(self._file)
        return record

    def forget(self) -> None:
        """After everything is gone."""
        self._file.unlink(missing_ok=True)

    def change(self, **fields: Any) -> Record:
        """The present record with other values, written."""
        record = self.read()
        if record is None:
            raise ConflictError(
                "No test cluster runs here.", remedy="Start one with `python -m toolchain cluster start`."
            )
        return self.write(replace(record, **fields))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Starts and stops take turns. Raises ConflictError where another is at it."""
        with ExitStack() as stack:
            try:
                self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
                lock = self.folder / "locks" / "turn.lock"
                stack.enter_context(locked(lock, seconds=0.0, what="The test cluster"))
            except PermissionError as error:
                raise NeedsAttentionError(
                    f"A test cluster needs root, and this account may not write to {self.folder}.",
                    remedy="Run the same command as root, or set CLAWSTACK_KUBECONFIG to a cluster that is there.",
                ) from error
            except TemporaryError as error:
                raise ConflictError(
                    f"Another start or stop of the test cluster is at work on this machine: {error.message}",
                    remedy="Wait until it has ended and try again.",
                ) from error
            yield


def unparse(record: Record) -> dict[str, Any]:
    """As JSON."""
    values = asdict(record)
    values["layout"]["data"] = str(record.layout.data)
    return values


def parse(values: dict[str, Any]) -> Record:
    """From JSON."""
    layout = values["layout"]
    return Record(
        layout=Layout(
            run=layout["run"],
            data=Path(layout["data"]),
            network=Network(**layout["network"]),
            ports=Ports(**layout["ports"]),
        ),
        owner=Process(**values["owner"]) if values["owner"] else None,
        ready=values["ready"],
        processes={name: Process(**process) for name, process in values["processes"].items()},
        kernel_settings=values["kernel_settings"],
        image=values["image"],
    )
