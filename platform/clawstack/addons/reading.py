"""The operator's `addons` section, completed by what the cluster knows of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from clawstack.addons.base.settings import AddonsSettings, OwnDatabase
from clawstack.errors import InvalidInputError
from clawstack.k3s import ClusterSettings
from clawstack.labels import FOR_CELLS
from clawstack.placement import FOR_DATA, Pool, place_for

#: On unless switched off: nodes of ours take no pods until Hetzner's controller has looked at them.
_BY_DEFAULT: Final = ("cloud_controller", "storage")


def addons_settings(
    said: Mapping[str, Any],
    *,
    cluster: ClusterSettings,
    network: str,
    location: str,
    firewall: str | None = None,
    ssh_key: str | None = None,
    protection: bool = True,
    pools: Sequence[Pool] = (),
) -> AddonsSettings:
    """Settings of the add-ons of `cluster`.

    `said`: keys in either spelling; `true` or `{}` takes an add-on as it is, `false` leaves it out, a map says more.
    `network`, `firewall`, `ssh_key`: Hetzner's names; `location`: where load balancers are made; `pools`: by their labels
    and taints cells and the database find the nodes that are theirs. Raises InvalidInputError that names every setting
    that cannot be.
    """
    known: dict[str, dict[str, Any]] = {
        "cloud_controller": {"network": network, "location": location},
        "ingress": {"location": location},
        "autoscaler": {"cluster": cluster, "network": network, "firewall": firewall, "ssh_key": ssh_key},
        "workloads": {"kubernetes_api": cluster.control_planes},
    }
    wanted = {**dict.fromkeys(_BY_DEFAULT, True), **{to_snake(key): value for key, value in said.items()}}
    chosen = {key: _completed(value, known.get(key, {})) for key, value in wanted.items()}
    everything = {
        **chosen,
        "cluster": cluster.name,
        "protection": protection,
        "pod_network": cluster.pod_network,
        "snapshots": cluster.snapshots,
    }
    try:
        settings = AddonsSettings.model_validate(everything)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'together'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise InvalidInputError(
            f"clawstack:cluster.addons: {found}.",
            code="bad_stack_config",
            remedy="docs/hetzner.md names every add-on; leave one out by `false`.",
        ) from None
    return _placed(settings, pools)


def _placed(settings: AddonsSettings, pools: Sequence[Pool]) -> AddonsSettings:
    """With the nodes of cells and of the database, where the operator named none."""
    every = [*pools, *(settings.autoscaler.pools if settings.autoscaler else ())]
    workloads, database = settings.workloads, settings.database
    if workloads and "place" not in workloads.cells.model_fields_set:
        cells = workloads.cells.model_copy(update={"place": place_for(FOR_CELLS, every)})
        workloads = workloads.model_copy(update={"cells": cells})
    if isinstance(database, OwnDatabase) and "place" not in database.model_fields_set:
        database = database.model_copy(update={"place": place_for(FOR_DATA, every)})
    return settings.model_copy(update={"workloads": workloads, "database": database})


def _completed(value: Any, known: Mapping[str, Any]) -> Any:
    if value is False or value is None:
        return None
    if value is True:
        return dict(known)
    if isinstance(value, Mapping) and known:
        return {**known, **{to_snake(key): entry for key, entry in value.items()}}
    return value
