"""What a substrate tells of itself: the half that its cells' stacks are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from clawstack.settings import Settings
    from tenants.builder import SubstrateBuilder


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a builder may ask of the installation that it builds for."""

    settings: Settings
    openclaw_version: str
    """The OpenClaw that this installation is pinned to."""
    openclaw_lock: Path
    """Its lock file: for machines that install it themselves."""


class Substrate(ABC):
    """One place where cells can run. Its other half, the driver, has the same name in `services.cells.substrates`."""

    name: ClassVar[str]
    """Stored with tenants and in labels: never change one."""
    remedy: ClassVar[str] = ""
    """One sentence for operators: what to set to use it; empty where every installation can."""
    plugins: ClassVar[tuple[str, ...]] = ()
    """Pulumi's resource plugins that its cells need besides this project's own."""
    on_this_machine: ClassVar[bool] = False
    """Cells are processes of this machine: each has an account of its own and listens on loopback, on the port that
    every cell is given."""
    saves_itself: ClassVar[bool] = False
    """Deleting a cell's resources takes its last backup; everywhere else the driver has to before."""

    @abstractmethod
    def is_configured(self, settings: Settings) -> bool:
        """Whether this installation means to use it; `builder` says whether what is configured is complete."""

    @abstractmethod
    def builder(self, installation: Installation) -> SubstrateBuilder[Any]:
        """The builder; only called where it is configured. Raises NeedsAttentionError for settings that are not complete."""

    @abstractmethod
    def platform_url(self, settings: Settings) -> str:
        """Root under which cells reach `/llm`, and `/telegram` unless the router is elsewhere."""

    def router_url(self, settings: Settings) -> str:
        """Root under which cells reach `/telegram`."""
        return self.platform_url(settings)

    def is_own_host(self, host: str, slug: str) -> bool:
        """Whether the name `host` leads to this cell and nowhere else, so that the router may call it there."""
        del host, slug
        return False

    def shortcomings(self, settings: Settings) -> tuple[str, ...]:
        """What the design's laws ask of its cells and this installation cannot enforce: sentences with a remedy, for operators.

        May ask the operating system; never raises for what is merely absent.
        """
        del settings
        return ()

    def policy_options(self, settings: Settings) -> Mapping[str, Mapping[str, Any]]:
        """What the policy pack must know of the place, as options by the names of rules; {} where it is not configured."""
        del settings
        return {}
