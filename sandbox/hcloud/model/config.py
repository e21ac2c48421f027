"""What a stand-in for the Hetzner Cloud is told at start."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from sandbox.frame.config import StandInConfig
from sandbox.frame.values import Json

# The shape of a real token: 64 letters and digits.
DEFAULT_TOKEN: Final = "clawstackSandboxHetznerToken0000000000000000000000000000000000ab"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A token, the project that it opens, and whether it may only read."""

    token: str
    project: str = "default"
    read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HcloudConfig(StandInConfig):
    """Settings of the stand-in; all times in seconds.

    `action_seconds` is how long an action takes unless the control API says otherwise. Limit of requests: Hetzner allows
    3,600 an hour and project and gives one back each second (docs.hetzner.cloud, rate limiting).
    """

    accesses: tuple[Access, ...] = (Access(token=DEFAULT_TOKEN),)
    action_seconds: float = 0.2
    requests_per_hour: int = 3600

    @override
    def addresses(self, root: str) -> Json:
        token = self.accesses[0].token
        return {"hcloud_endpoint": f"{root}/v1", "hcloud_token": token, "hcloud_control": f"{root}/_control"}
