"""What the builder must know of the cluster and a cell's specification does not say: the operator's part."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from clawstack.naming import namespace_name
from clawstack.placement import Place

#: A tag and a digest: the tag tells people what it is, the digest is what is run.
IMAGE_PATTERN: Final = r"^[a-z0-9][a-z0-9._:/-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@sha256:[0-9a-f]{64}$"
_NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
_TENANT_PREFIX: Final = namespace_name("x").removesuffix("x")

Name = Annotated[str, Field(pattern=_NAME_PATTERN)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Frozen(BaseModel):
    # `hide_input_in_errors`: a kubeconfig must not appear in an error's text.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not a single IP address; networks are too wide, give each host") from None
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
        raise ValueError(
            f"{value} is no host that a pod can or may reach; loopback, link-local (metadata service), multicast and "
            "unspecified addresses are refused"
        )
    return str(address)


def _platform_namespace(value: str) -> str:
    if value.startswith(_TENANT_PREFIX):
        raise ValueError(f"{value!r} is the name of a tenant's namespace; the platform lives in one of its own")
    return value


Address = Annotated[str, AfterValidator(_address)]


class Peer(_Frozen):
    """One part of the platform, as network rules see it: pods of one namespace, or hosts by address; never both."""

    namespace: Annotated[Name | None, AfterValidator(lambda value: value and _platform_namespace(value))] = None
    pods: Mapping[str, str] = Field(default_factory=dict)
    """Labels that all its pods carry; needed with a namespace."""
    addresses: tuple[Address, ...] = ()
    """For a platform outside the cluster."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.namespace) == bool(self.addresses):
            raise ValueError("give either a namespace with pod labels, or addresses")
        if bool(self.namespace) != bool(self.pods):
            raise ValueError("pod labels and a namespace go together; a whole namespace would be too wide")
        return self


class Destination(_Frozen):
    """A peer that cells may call. Ports are those of the pods or hosts: rules are judged after Service translation."""

    peer: Peer
    ports: Annotated[tuple[Port, ...], Field(min_length=1)]


class Route(_Frozen):
    """How the control UI of a cell is reached from outside: an HTTPRoute below one shared Gateway."""

    gateway: Name
    gateway_namespace: Name
    section: Name | None = None
    domain: Name
    """A cell is `<slug>.<domain>`."""
    proxy: Peer
    """The Gateway's own pods: they alone may call the cells for it."""


class NamespaceSettings(_Frozen):
    """One cluster, as cells need to know it."""

    cluster: Name
    """A stable name: rotating the kubeconfig of the same cluster must not replace its cells."""
    kubeconfig: SecretStr
    """The content, not a path: the plugin runs where no operator's file is."""
    context: str | None = None
    """The kubeconfig's own current context where none is given."""
    image: Annotated[str, Field(pattern=IMAGE_PATTERN)]
    """The OpenClaw image, pinned by tag and digest."""
    image_pull_policy: Literal["IfNotPresent", "Never"] = "IfNotPresent"
    """Never: for images that were imported into the node."""
    node: Annotated[str, Field(pattern=r"^/[\w./@-]+$")] = "/usr/local/bin/node"
    openclaw: Annotated[str, Field(pattern=r"^/[\w./@-]+$")] = "/app/openclaw.mjs"
    """Places in the image; the defaults are those of the official one."""
    storage_class: Name | None = None
    """The cluster's default where none is given."""
    proxy: Destination
    """The LLM proxy."""
    router: Destination
    """The Telegram router."""
    platform: Peer
    """Who may call a gateway: the platform's health checks and administration."""
    dns: Peer = Peer(namespace="kube-system", pods={"k8s-app": "kube-dns"})
    priority_classes: Mapping[str, Name] = Field(default_factory=dict)
    """Name of an existing PriorityClass, per plan; a plan without one gets the cluster's default."""
    place: Place = Place()
    """Nodes for cells, and for the pods that open their volumes; any node without taints where nothing is said."""
    runtime_class: Name | None = None
    """An existing RuntimeClass, such as gVisor's."""
    route: Route | None = None

    @property
    def version(self) -> str:
        """The tag of the image."""
        return self.image.split("@", 1)[0].rsplit(":", 1)[1]
