"""Finds what a cluster left behind at Hetzner and, when told to, removes it. Dry run unless `--delete` is given.

    python -m clawstack.cluster.sweep CLUSTER --made-by controllers --delete    # before `pulumi destroy`
    python -m clawstack.cluster.sweep CLUSTER --lift                            # volumes are always protected
    python -m clawstack.cluster.sweep CLUSTER                                   # after it: must find nothing

Before `pulumi destroy`: load balancers and volumes that controllers made keep the network in use and are billed on. The
control planes are powered off first, or the controllers would make them again. CSI volumes hold data: have a backup.

Exit status: 0 nothing (left) or lifted, 1 something is there, 2 wrong arguments or no access.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import hcloud
from hcloud.actions import BoundAction

from clawstack.cluster.labels import selector
from clawstack.cluster.leftovers import Leftover, Maker, find_leftovers, made_by
from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.hetzner_refusals import BUSY, NOT_FOUND, RATE_LIMITED

#: Answers that pass by themselves: another action runs, or what uses the thing is going.
_PASSING: Final = BUSY | {RATE_LIMITED, "resource_in_use", "must_be_unassigned"}
#: What was to be done is done already (a volume is detached when its server goes).
_DONE: Final = frozenset({NOT_FOUND, "volume_not_attached"})
_PATIENCE_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """Removes things through the official client, with bounded patience."""

    client: hcloud.Client
    tell: Callable[[str], None]
    patience: float = _PATIENCE_SECONDS
    """Seconds for the whole removal."""
    pause: float = _PAUSE_SECONDS
    """Seconds between tries at what is still in use."""

    def quiet_controllers(self, cluster: str) -> None:
        """Power the control planes off, so that nobody makes again what is removed."""
        for server in self.client.servers.get_all(label_selector=selector(cluster, role="control-plane")):
            if server.status != "off":
                self.tell(f"powering off {server.name}")
                self.call(server.power_off)

    def lift(self, leftovers: Sequence[Leftover]) -> None:
        """Take Hetzner's protection from deletion away; safe to repeat."""
        for each in leftovers:
            if each.protected:
                self.tell(f"lifting the protection of {each.sentence()}")
                self.call(partial(each.bound.change_protection, **_no_protection(each.kind)))

    def remove(self, leftovers: Sequence[Leftover], *, unprotect: bool = False) -> None:
        """Delete them in order. Raises NeedsAttentionError for protected ones, TemporaryError when patience ends.

        Safe to repeat: what is gone already is passed over.
        """
        kept = [each for each in leftovers if each.protected and not unprotect]
        if kept:
            raise NeedsAttentionError(
                f"{len(kept)} are protected from deletion: {'; '.join(each.sentence() for each in kept[:5])}.",
                code="deletion_protected",
                remedy="Nothing was deleted. Add --unprotect if they must go.",
            )
        self.lift(leftovers)
        deadline = time.monotonic() + self.patience
        for each in leftovers:
            self.tell(f"deleting {each.sentence()}")
            if each.kind == "volumes" and each.bound.server is not None:
                self._until(each.bound.detach, deadline)
            self._until(each.bound.delete_rrset if each.kind == "rrsets" else each.bound.delete, deadline)

    def call(self, call: Callable[[], Any]) -> None:
        """One call to its end, with the same patience."""
        self._until(call, time.monotonic() + self.patience)

    def _until(self, call: Callable[[], Any], deadline: float) -> None:
        while True:
            try:
                _wait(call())
            except hcloud.APIException as error:
                if error.code in _DONE:
                    return
                if error.code not in _PASSING:
                    raise
                if time.monotonic() > deadline:
                    raise TemporaryError(f"Hetzner keeps refusing: {error}.", code="sweep_out_of_time") from error
                time.sleep(self.pause)
            else:
                return


def _no_protection(kind: str) -> Mapping[str, bool]:
    return {"delete": False, "rebuild": False} if kind == "servers" else {"delete": False}


def _wait(answer: Any) -> None:
    action = answer if isinstance(answer, BoundAction) else getattr(answer, "action", None)
    if isinstance(action, BoundAction):
        action.wait_until_finished()


def client_from(environ: Mapping[str, str]) -> hcloud.Client:
    """A client of the project that CLAWSTACK_HCLOUD_TOKEN opens; raises NeedsAttentionError without one."""
    token = environ.get("CLAWSTACK_HCLOUD_TOKEN")
    if not token:
        raise NeedsAttentionError(
            "CLAWSTACK_HCLOUD_TOKEN is not set.", code="no_hcloud_token", remedy="Set it to a token of the project."
        )
    endpoint = environ.get("CLAWSTACK_HCLOUD_ENDPOINT") or "https://api.hetzner.cloud/v1"
    return hcloud.Client(token=token, api_endpoint=endpoint.rstrip("/"), application_name="clawstack-sweep")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        return _sweep(args, client_from(os.environ))
    except (NeedsAttentionError, TemporaryError) as error:
        print(error.sentence(), file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, NeedsAttentionError) else 1
    except hcloud.HCloudException as error:
        print(f"Hetzner refused: {error}.", file=sys.stderr)  # noqa: T201
        return 2


def _sweep(args: argparse.Namespace, client: hcloud.Client) -> int:
    maker = None if args.made_by == "anyone" else Maker(args.made_by)
    found = made_by(find_leftovers(client, args.cluster), maker)
    report(found, as_json=args.json)
    sweeper = Sweeper(client=client, tell=lambda line: print(line, file=sys.stderr))  # noqa: T201
    if args.lift:
        sweeper.lift(found)
        return 0
    if not args.delete or not found:
        return 1 if found else 0
    if maker is not Maker.STACK:
        sweeper.quiet_controllers(args.cluster)
    sweeper.remove(found, unprotect=args.unprotect)
    return 1 if made_by(find_leftovers(client, args.cluster), maker) else 0


def report(found: Sequence[Leftover], *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        rows = [{"kind": each.kind, "id": each.id, "name": each.name, "madeBy": each.maker.value} for each in found]
        print(json.dumps({"leftovers": rows}))  # noqa: T201
        return
    for each in found:
        print(each.sentence() + (", protected" if each.protected else ""))  # noqa: T201
    print(f"{len(found)} found." if found else "Nothing is left.")  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clawstack.cluster.sweep", description="Find what a cluster left behind at Hetzner."
    )
    parser.add_argument("cluster", help="name of the cluster, as in clawstack:cluster.name")
    parser.add_argument("--made-by", choices=("anyone", "controllers", "stack"), default="anyone")
    parser.add_argument("--delete", action="store_true", help="remove what is found; without it nothing is changed")
    parser.add_argument(
        "--lift", action="store_true", help="only take Hetzner's protection away, so that Pulumi can delete"
    )
    parser.add_argument("--unprotect", action="store_true", help="also what Hetzner protects from deletion")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
