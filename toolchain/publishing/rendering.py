"""What a release tells an operator: the settings that name its image by digest, and the manifests with them filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from clawstack.addons import AddonsSettings
from clawstack.addons.plan import build_addons
from clawstack.errors import InvalidInputError

SETTINGS: Final = "Pulumi.release.yaml"
MANIFESTS: Final = "manifests.yaml"
_ADDON: Final = "workloads"


def settings_part(image: str) -> bytes:
    """What goes into `Pulumi.STACK.yaml`; `image` has tag and digest."""
    part = {"config": {"clawstack:cluster": {"addons": {_ADDON: {"image": image}}}}}
    head = "# The image of this release. Take it over into clawstack:cluster of your Pulumi.STACK.yaml.\n"
    return head.encode() + yaml.safe_dump(part, sort_keys=True).encode()


def files(image: str, settings: Path | None) -> dict[str, bytes]:
    """The files of a release's manifests; without `settings` of a cluster only what is the same for all."""
    shared = {SETTINGS: settings_part(image)}
    if settings is None:
        return shared
    return {**shared, MANIFESTS: manifests(image, _read(settings))}


def manifests(image: str, said: Mapping[str, Any]) -> bytes:
    """The add-on `workloads` as plain objects, without Secrets: those an operator makes.

    `said`: as `AddonsSettings` has it. Raises InvalidInputError that names every setting that cannot be.
    """
    workloads = {**(said.get(_ADDON) or {}), "image": image}
    try:
        settings = AddonsSettings.model_validate({**said, _ADDON: workloads})
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)
        )
        raise InvalidInputError(f"The settings of the add-ons: {found}.", code="bad_settings") from None
    [addon] = [each for each in build_addons(settings) if each.key == _ADDON]
    documents = [manifest.document() for manifest in addon.manifests() if manifest.kind != "Secret"]
    return yaml.safe_dump_all(documents, sort_keys=True).encode()


def _read(file: Path) -> Mapping[str, Any]:
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read as YAML: {error}.", code="bad_settings") from error
    if not isinstance(said, Mapping):
        raise InvalidInputError(f"{file} holds no settings.", code="bad_settings")
    return said
