"""The explicit Hetzner provider, and small helpers that every Hetzner component shares."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud


@dataclass(frozen=True, kw_only=True)
class HetznerAccess:
    """Where Hetzner's API is, and who we are there."""

    token: pulumi.Input[str]
    """Secret."""
    endpoint: str | None = None
    """Another root of the API, for a stand-in; None: Hetzner's own."""
    poll_interval_seconds: float = 0.5
    """How often a running action is looked at; see `clawstack.cluster.model.poll_interval`."""


def hetzner_provider(name: str, access: HetznerAccess) -> hcloud.Provider:
    """The one provider of a stack, handed to components by `ResourceOptions(providers=...)`."""
    return hcloud.Provider(
        name,
        token=pulumi.Output.secret(access.token),
        endpoint=access.endpoint,
        # Exponential, the default, looks less and less often and notices the end late; the interval grows with the
        # cluster instead.
        poll_function="constant",
        poll_interval=f"{round(access.poll_interval_seconds * 1000)}ms",
    )


def number(resource: pulumi.CustomResource) -> pulumi.Output[int]:
    """The resource's id as the number that other Hetzner resources take."""
    return resource.id.apply(int)
