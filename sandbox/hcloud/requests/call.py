"""What a handler gets and what it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.frame.values import Json
from sandbox.hcloud.model import actions
from sandbox.hcloud.model.actions import Target
from sandbox.hcloud.model.errors import ApiError, locked, protected
from sandbox.hcloud.model.faults import FaultKind
from sandbox.hcloud.model.project import Project, singular
from sandbox.hcloud.model.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is sent back; None is an empty body (204)."""

    body: Json | None
    status: int = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, read and admitted. `path` holds the variable parts of the address."""

    world: World
    project: Project
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: Json = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.world.now

    def first(self, name: str) -> str:
        """Return a query parameter, "" when it is absent."""
        return next(iter(self.query.get(name, ())), "")

    def target(self, kind: str, name: str = "id") -> Json:
        """Return the row that the address names, a zone also by its name. Raises not_found."""
        if kind == "zones" and (row := self.project.named(kind, self.path[name])) is not None:
            return row
        return self.project.get(kind, self.path[name])

    def free(self, kind: str) -> Json:
        """Return the row that the address names. Raises as `target` and `check_free` do."""
        row = self.target(kind)
        self.check_free(kind, row)
        return row

    def deletable(self, kind: str) -> Json:
        """Return the row that the address names. Raises as `target` and `check_deletable` do."""
        row = self.target(kind)
        self.check_deletable(kind, row)
        return row

    def remove(self, kind: str, row: Json) -> Answer:
        """Forget a row at once, and return the usual answer to that."""
        self.project.remove(kind, row["id"])
        return Answer(body=None, status=204)

    def start(
        self,
        command: str,
        targets: Sequence[Target],
        *,
        effects: Sequence[Json] = (),
        undo: Sequence[Json] = (),
        locks: Sequence[Target] | None = None,
        after: Json | None = None,
    ) -> Json:
        """Begin an action, with the trouble that was ordered for it, and return it as the API shows it."""
        seconds: float | None = self.world.speed.of(command)
        error = None
        if (fault := self.world.faults.take_action(command)) is not None:
            seconds = {FaultKind.ACTION_SLOW: fault.seconds, FaultKind.ACTION_STUCK: None}.get(fault.kind, seconds)
            error = fault.error().as_action_error() if fault.kind is FaultKind.ACTION_ERROR else None
        row = actions.new_action(
            self.project,
            command,
            targets,
            now=self.now,
            seconds=seconds,
            error=error,
            effects=effects,
            undo=undo,
            locks=locks,
            after=None if after is None else after["id"],
        )
        return actions.wire(self.project, row, self.now)

    def check_free(self, kind: str, row: Json) -> None:
        """Raise while another action holds the row: conflict for what clients are told to retry, locked otherwise."""
        if not self.project.is_locked(kind, row["id"]):
            return
        if kind in {"networks", "firewalls"}:
            raise ApiError("conflict", f"{singular(kind)} was changed by another request, please retry")
        raise locked(singular(kind))

    def check_deletable(self, kind: str, row: Json) -> None:
        """Raise when the row is protected against deletion or locked."""
        if row.get("protection", {}).get("delete"):
            raise protected(singular(kind), row["id"])
        self.check_free(kind, row)


Handler = Callable[[Call], Answer]
Route = tuple[str, str, Handler]
