"""Cells as processes of the platform's own machine: what every installation has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from tenants.process import NAME
from tenants.substrates.substrate import Installation, Substrate

if TYPE_CHECKING:
    from clawstack.settings import Settings
    from tenants.builder import SubstrateBuilder


class Processes(Substrate):
    """The `process` substrate."""

    name = NAME
    on_this_machine = True
    saves_itself = True

    @override
    def is_configured(self, settings: Settings) -> bool:
        return True

    @override
    def builder(self, installation: Installation) -> SubstrateBuilder[Any]:
        from tenants.process.component import ProcessBuilder  # late: it loads Pulumi

        return ProcessBuilder()

    @override
    def shortcomings(self, settings: Settings) -> tuple[str, ...]:
        from clawstack.errors import TemporaryError  # late: most processes never ask
        from tenants.process import wall

        try:
            why = wall.shortcoming(settings.data_dir / "cells")
        except TemporaryError as error:
            why = error.message
        return (f"{why} A cell can call every port of this machine and the internet. {wall.REMEDY}",) if why else ()

    @override
    def platform_url(self, settings: Settings) -> str:
        return settings.platform_url_for_cells()


PROCESS: Final = Processes()
