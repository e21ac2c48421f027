"""From the object in `Pulumi.<stack>.yaml` to a checked `ClusterConfig`, or to one refusal that names every mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from clawstack.addons import AddonsSettings
from clawstack.addons.reading import addons_settings
from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.plan import plan_cluster
from clawstack.cluster.rules import Problem, problems
from clawstack.cluster.user_data import cluster_settings, node_settings
from clawstack.errors import InvalidInputError

_SHOWN = 60


def parse_cluster(raw: Mapping[str, Any]) -> ClusterConfig:
    """The cluster's configuration; raises InvalidInputError with each value, what is allowed and the remedy."""
    try:
        config = ClusterConfig.model_validate(raw)
    except ValidationError as error:
        raise _refusal(_of_pydantic(error)) from None
    found = list(problems(config)) or list(_of_k3s(config))
    if found:
        raise _refusal(found)
    addons_of(config)
    return config


def addons_of(config: ClusterConfig) -> AddonsSettings | None:
    """Settings of the add-ons, None for a cluster without; raises InvalidInputError for what cannot be."""
    if config.addons is None:
        return None
    return addons_settings(
        config.addons,
        cluster=cluster_settings(config, plan_cluster(config)),
        network=config.name,
        location=config.control_plane.locations[0],
        firewall=f"{config.name}-node",
        ssh_key=f"{config.name}-{min(config.ssh_keys)}",
        protection=config.protection,
        pools=tuple(config.pools.values()),
    )


def _of_k3s(config: ClusterConfig) -> Iterable[Problem]:
    """What `clawstack.k3s` would refuse later, in the middle of an update: labels, taints, its own settings."""
    plan = plan_cluster(config)
    try:
        cluster = cluster_settings(config, plan)
    except ValidationError as error:
        for path, sentence in _of_pydantic(error):
            yield f"kubernetes.{path}", sentence
        return
    for node in plan.nodes():
        try:
            node_settings(node, cluster)
        except ValidationError as error:
            for path, sentence in _of_pydantic(error):
                yield f"pools.{node.pool}.{path}", sentence
            return


def _of_pydantic(error: ValidationError) -> Iterable[Problem]:
    for detail in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        yield path, _sentence(detail["type"], detail["msg"], detail["input"])


def _sentence(kind: str, message: str, value: object) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a setting"
    # Sections and lists are not repeated: they may be long, and a neighbour may be a secret.
    shown = f"is {str(value)[:_SHOWN]!r}; " if isinstance(value, str | int | float | bool) else ""
    return f"{shown}{message[:1].lower()}{message[1:]}"


def _refusal(found: Iterable[Problem]) -> InvalidInputError:
    lines = list(found)
    told = "; ".join(f"clawstack:cluster.{path}: {sentence}" if path else sentence for path, sentence in lines)
    return InvalidInputError(
        f"{told}.",
        code="bad_cluster_config",
        remedy=f"Correct Pulumi.<stack>.yaml, or: pulumi config set --path 'clawstack:cluster.{lines[0][0]}' <value>",
    )
