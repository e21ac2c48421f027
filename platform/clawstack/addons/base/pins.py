"""Which version of what is installed, read from `pins.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from clawstack.errors import InvalidInputError


class Pin(BaseModel):
    """One chart (or a release's manifests)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    repo: Annotated[str, Field(pattern=r"^https://")]
    version: Annotated[str, Field(pattern=r"^v?\d+\.\d+\.\d+$")]
    """Exact: a range would install something else tomorrow."""
    image: str | None = None
    """Tag, where it is not the chart's own."""
    seen: Annotated[str, Field(min_length=10)]
    """Where this version was seen to exist."""


@cache
def shipped_pins() -> Mapping[str, Pin]:
    """What this version of clawstack installs."""
    raw = yaml.safe_load(files("clawstack.addons").joinpath("pins.yaml").read_text())
    return {name: Pin(name=name, **body) for name, body in raw.items()}


def pin_of(name: str, versions: Mapping[str, str]) -> Pin:
    """The pin of `name`, its version replaced where the operator says so."""
    pin = shipped_pins()[name]
    return Pin(**{**pin.model_dump(), "version": versions[name]}) if name in versions else pin


def require_known(versions: Mapping[str, str]) -> None:
    """Raises InvalidInputError for a version of something that is not installed."""
    unknown = sorted(set(versions) - set(shipped_pins()))
    if unknown:
        raise InvalidInputError(
            f"versions names {', '.join(unknown)}, which is no add-on.",
            code="unknown_addon",
            remedy=f"There are: {', '.join(shipped_pins())}.",
        )
