"""All projects and what holds for all of them: tokens, the clock, speed of actions, what is sold out, ordered trouble."""

from dataclasses import dataclass, field

from sandbox.hcloud.model.config import Access, HcloudConfig
from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.model.faults import Faults
from sandbox.hcloud.model.journal import Journal
from sandbox.hcloud.model.project import Ids, Project
from sandbox.hcloud.model.ratelimit import RateLimit


@dataclass(kw_only=True)
class Speed:
    """How many seconds actions take: `default`, or by command."""

    default: float
    by_command: dict[str, float] = field(default_factory=dict)

    def of(self, command: str) -> float:
        """Return the seconds for a command."""
        return self.by_command.get(command, self.default)


class World:
    """The stand-in's whole state."""

    def __init__(self, config: HcloudConfig) -> None:
        self.config = config
        self.accesses: dict[str, Access] = {}
        self.projects: dict[str, Project] = {}
        self.ids = Ids()
        self.speed = Speed(default=config.action_seconds)
        self.sold_out: set[tuple[str, str]] = set()
        self.owned_ips: set[str] = set()
        self.faults = Faults()
        self.journal = Journal()
        self.changes = 0
        for access in config.accesses:
            self.admit(access)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.config.now()

    def admit(self, access: Access) -> Project:
        """Let a token in and return its project, made when it is new."""
        self.accesses[access.token] = access
        return self.projects.setdefault(access.project, self._new_project(access.project))

    def _new_project(self, name: str) -> Project:
        limit = self.config.requests_per_hour
        return Project(name=name, ids=self.ids, rate=RateLimit(limit=limit, left=float(limit), at=self.now))

    def clear(self, project: Project) -> None:
        """Forget everything a project has; ids go on, quotas and the limit of requests become the usual ones."""
        self.projects[project.name] = self._new_project(project.name)

    def enter(self, authorization: str, method: str) -> Project:
        """Return the project of a request. Raises unauthorized, or token_readonly for a change by a reading token."""
        scheme, _, token = authorization.partition(" ")
        access = self.accesses.get(token) if scheme.lower() == "bearer" else None
        if access is None:
            raise ApiError("unauthorized", "unable to authenticate")
        if access.read_only and method != "GET":
            raise ApiError("token_readonly", "token is only allowed to perform GET requests")
        return self.projects[access.project]

    def project_of(self, token: str = "") -> Project:
        """Return the project of a token, the first one for an empty token. Raises LookupError."""
        for known, access in self.accesses.items():
            if not token or token == known:
                return self.projects[access.project]
        raise LookupError("No project has this token.")
