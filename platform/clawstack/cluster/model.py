"""How long a first `pulumi up` takes and how much of Hetzner's API limit it uses: a dry model, no network.

    python -m clawstack.cluster.model

The constants say where they come from. What is assumed and not measured against Hetzner is marked so; the sandbox
counts calls, which is how the counts were checked (tests/integration/platform_cluster).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Requests that a project may make: 3,600 at once, refilled by one each second (Hetzner Cloud API, rate limiting).
LIMIT_PER_HOUR: Final = 3600
_REFILL_PER_SECOND: Final = 1.0
#: The cloud controller, the CSI driver and the autoscaler use the same project: an update leaves them half.
SHARE_OF_LIMIT: Final = 0.5
#: Seconds that the provider may wait between two looks at a running action, shortest first.
POLL_INTERVALS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)

# Assumed: actions of one server, from public timings of hetzner-k3s (3 + 3 nodes in 2 to 3 minutes).
_CREATE_SECONDS: Final = 14.0
_ATTACH_SECONDS: Final = 3.0
_POWER_ON_SECONDS: Final = 3.0
_SERVER_SECONDS: Final = _CREATE_SECONDS + _ATTACH_SECONDS + _POWER_ON_SECONDS
#: Create, attach to the network, power on, and two reads around them.
_SERVER_REQUESTS: Final = 5
#: Network, subnets, firewalls, keys, groups, balancer with service and target: one write and one read each.
_REQUESTS_PER_SMALL: Final = 2
_SMALL_SECONDS: Final = 1.0
# Assumed: boot, package lists, download of K3s (70 MB) and its start; a control plane joins etcd after that.
_FIRST_READY_SECONDS: Final = 75.0
_JOIN_SECONDS: Final = 25.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the model needs to know of a cluster."""

    control_planes: int
    workers: int
    pools: int = 1
    balancer: bool = False
    parallel: int = 16
    """Resources that the engine makes at once (`pulumi up --parallel`)."""

    def nodes(self) -> int:
        """All servers that run K3s."""
        return self.control_planes + self.workers


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """One row of the table."""

    nodes: int
    poll_interval: float
    requests: int
    share: float
    """Of the hourly limit."""
    create_minutes: float
    """Until `pulumi up` has made the last server."""
    ready_minutes: float
    """Until the last node has joined."""


def poll_interval(nodes: int) -> float:
    """Seconds between two looks at an action, so that an update of this size keeps within its share of the limit."""
    shape = Shape(control_planes=min(nodes, 3), workers=max(nodes - 3, 0))
    for interval in POLL_INTERVALS:
        if request_count(shape, interval) <= LIMIT_PER_HOUR * SHARE_OF_LIMIT:
            return interval
    return POLL_INTERVALS[-1]


def request_count(shape: Shape, interval: float) -> int:
    """Requests of a first update."""
    polls = math.ceil(_SERVER_SECONDS / interval)
    return shape.nodes() * (_SERVER_REQUESTS + polls) + _small(shape) * _REQUESTS_PER_SMALL


def forecast(shape: Shape) -> Forecast:
    """Requests and minutes of a first update of this shape."""
    interval = poll_interval(shape.nodes())
    requests = request_count(shape, interval)
    rounds = math.ceil(_small(shape) / shape.parallel) * _SMALL_SECONDS
    planes = shape.control_planes * _SERVER_SECONDS  # one after the other: see components.servers
    workers = math.ceil(shape.workers / shape.parallel) * _SERVER_SECONDS
    throttled = max(0.0, requests - LIMIT_PER_HOUR) / _REFILL_PER_SECOND
    created = rounds + planes + workers + throttled
    plane_ready = rounds + _SERVER_SECONDS + _FIRST_READY_SECONDS + (shape.control_planes - 1) * _JOIN_SECONDS
    last = created + _FIRST_READY_SECONDS + _JOIN_SECONDS if shape.workers else created + _FIRST_READY_SECONDS
    return Forecast(
        nodes=shape.nodes(),
        poll_interval=interval,
        requests=requests,
        share=requests / LIMIT_PER_HOUR,
        create_minutes=created / 60,
        ready_minutes=max(plane_ready, last) / 60,
    )


def _small(shape: Shape) -> int:
    groups = 1 + math.ceil(shape.workers / 10)
    return 1 + 2 + shape.pools + 2 + 1 + groups + (4 if shape.balancer else 0)


def table(shapes: Sequence[Shape]) -> str:
    """The forecast as a Markdown table."""
    head = "| nodes | requests | of 3,600/h | seconds between polls | last server made | last node ready |"
    rows = [
        f"| {each.nodes} | {each.requests:,} | {each.share:.0%} | {each.poll_interval:g} "
        f"| {each.create_minutes:.1f} min | {each.ready_minutes:.1f} min |"
        for each in map(forecast, shapes)
    ]
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows])


def main() -> None:
    """Print the table for 1, 10 and 100 nodes."""
    shapes = (
        Shape(control_planes=1, workers=0, pools=0),
        Shape(control_planes=3, workers=7, pools=2, balancer=True),
        Shape(control_planes=3, workers=97, pools=4),
    )
    print(table(shapes))  # noqa: T201 - this is what the command is for


if __name__ == "__main__":
    main()
