"""What Hetzner has to be asked besides the stack: snapshots, the volume's protection, what is left, whose it is.

Everything is found by label, through the official client. The client blocks and retries by itself, so each call runs in
a thread, and its errors become this project's own here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import requests
from hcloud import APIException, Client, HCloudException
from hcloud.actions import ActionException
from hcloud.actions.client import BoundAction
from hcloud.images.client import BoundImage
from hcloud.servers.client import BoundServer
from hcloud.volumes.client import BoundVolume

from clawstack.errors import ClawstackError, TemporaryError, as_asked_by_the_platform
from clawstack.hetzner_refusals import NOT_FOUND, refused
from clawstack.labels import MANAGED_BY, SUBSTRATE, TENANT
from services.cells.substrates.server.undoing import undo
from tenants.server import NAME
from tenants.server.settings import ServerSettings

T = TypeVar("T")

BOOT_LABEL: Final = "clawstack.dev/boot"
"""On a snapshot: the machine that it was taken from."""
_CALL_SECONDS: Final = 20.0
_POLLS: Final = 240
_RETRY: Final = 15.0


class Project:
    """One Hetzner project, as far as a driver needs it."""

    def __init__(self, settings: ServerSettings, *, poll_seconds: float = 1.0) -> None:
        """`poll_seconds`: how often the client asks how an action goes."""
        self._settings = settings
        self._client = Client(
            settings.token.get_secret_value(),
            api_endpoint=settings.endpoint,
            application_name="clawstack",
            poll_interval=poll_seconds,
            poll_max_retries=_POLLS,
            timeout=_CALL_SECONDS,
        )

    async def server_type(self, slug: str) -> str | None:
        """Type of the cell's server, None when it has none."""
        server = await self._run(lambda: self._server(slug))
        return server.server_type.name if server and server.server_type else None

    async def snapshot(self, slug: str, *, boot: str, labels: dict[str, str]) -> str | None:
        """Id of a snapshot of this machine's root disk, made unless there is one; None when the server is gone.

        Older ones than the settings want are removed.
        """
        return await self._run(lambda: self._snapshot(slug, boot, labels))

    async def has_image(self, image: str) -> bool:
        """Whether a snapshot is still there."""
        return await self._run(lambda: self._image(image))

    async def unprotect(self, slug: str) -> None:
        """Let the cell's volume be deleted."""
        await self._run(lambda: self._unprotect(slug))

    async def volumes_since(self, slug: str, moment: datetime) -> bool:
        """Whether every volume of the cell was made after that moment."""
        return await self._run(lambda: self._made_since(slug, moment))

    async def give_up_volumes(self, slug: str, *, outside: str) -> bool:
        """Let the cell's volumes in other locations than `outside` be deleted; whether there were any."""
        return await self._run(lambda: self._give_up(slug, outside))

    async def delete_snapshots(self, slug: str) -> int:
        """Remove the cell's snapshots; how many there were."""
        return await self._run(lambda: self._prune(slug, keep=0))

    async def leftovers(self, slug: str) -> list[str]:
        """What there is of the cell, in words."""
        return await self._run(lambda: self._leftovers(slug))

    async def undo(self, slug: str, deployment: Mapping[str, Any]) -> list[str]:
        """Remove what carries the cell's label and a killed run could not write down; in words what was removed.

        A volume only where its own creation was under way: one that has ever been recorded may hold the cell's memory.
        """
        return await self._run(lambda: undo(self._client, _of(slug), deployment, wait=_wait))

    async def cells(self) -> list[tuple[str, str]]:
        """Slug and words for everything in the project that carries the labels of a cell on this substrate."""
        return await self._run(self._cells)

    def _server(self, slug: str) -> BoundServer | None:
        return next(iter(self._client.servers.get_all(label_selector=_of(slug))), None)

    def _snapshots(self, slug: str) -> list[BoundImage]:
        found = self._client.images.get_all(type=["snapshot"], label_selector=_of(slug), sort=["created:desc"])
        return list(found)

    def _snapshot(self, slug: str, boot: str, labels: dict[str, str]) -> str | None:
        present = [image for image in self._snapshots(slug) if (image.labels or {}).get(BOOT_LABEL) == boot]
        if not present:
            server = self._server(slug)
            if server is None:
                return None
            made = server.create_image(description=server.name, type="snapshot", labels={**labels, BOOT_LABEL: boot})
            _wait(made.action)
            present = [made.image]
        self._prune(slug, keep=self._settings.snapshots_kept)
        return str(present[0].id)

    def _prune(self, slug: str, *, keep: int) -> int:
        old = self._snapshots(slug)[keep:]
        for image in old:
            image.delete()
        return len(old)

    def _image(self, image: str) -> bool:
        try:
            return self._client.images.get_by_id(int(image)).status == "available"
        except APIException as error:
            if error.code == NOT_FOUND:
                return False
            raise

    def _unprotect(self, slug: str) -> None:
        for volume in self._volumes(slug):
            _lift(volume)

    def _volumes(self, slug: str) -> list[BoundVolume]:
        return list(self._client.volumes.get_all(label_selector=_of(slug)))

    def _made_since(self, slug: str, moment: datetime) -> bool:
        # Hetzner tells whole seconds.
        since = moment.replace(microsecond=0)
        return all(volume.created is not None and volume.created >= since for volume in self._volumes(slug))

    def _give_up(self, slug: str, outside: str) -> bool:
        elsewhere = [volume for volume in self._volumes(slug) if volume.location and volume.location.name != outside]
        for volume in elsewhere:
            _lift(volume)
        return bool(elsewhere)

    def _leftovers(self, slug: str) -> list[str]:
        client, selector = self._client, _of(slug)
        left = [f"server {server.name}" for server in client.servers.get_all(label_selector=selector)]
        left += [f"volume {volume.name}" for volume in client.volumes.get_all(label_selector=selector)]
        left += [f"firewall {firewall.name}" for firewall in client.firewalls.get_all(label_selector=selector)]
        left += [f"snapshot {image.id}" for image in self._snapshots(slug)]
        if self._settings.dns is not None:
            zone = client.zones.get(self._settings.dns.name)
            records = zone.get_rrset_all(label_selector=selector)
            left += [f"record {record.name}.{self._settings.dns.name}" for record in records]
        return left

    def _cells(self) -> list[tuple[str, str]]:
        selector = f"{MANAGED_BY}=clawstack,{SUBSTRATE}={NAME},{TENANT}"
        client = self._client
        servers = client.servers.get_all(label_selector=selector)
        volumes = client.volumes.get_all(label_selector=selector)
        found = [((server.labels or {})[TENANT], f"server {server.name}") for server in servers]
        return found + [((volume.labels or {})[TENANT], f"volume {volume.name}") for volume in volumes]

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except (HCloudException, requests.RequestException) as error:
            raise converted(error) from error


def converted(error: Exception) -> ClawstackError:
    """Hetzner's refusal in this project's words: wait, or somebody must act.

    What is not found was there a moment ago, for a driver only acts on what it has just seen: the next look knows better.
    """
    match error:
        case APIException(code=code, message=said):
            sentence = f"Hetzner refuses: {said.rstrip('.')} ({code})."
        case ActionException(action=action):
            code = action.error["code"] if action.error else "action_failed"
            sentence = f"Hetzner could not finish: {error}."
        case _:
            return TemporaryError(f"Hetzner does not answer: {error}", code="hetzner_unreachable", retry_after=_RETRY)
    known = None if code == NOT_FOUND else refused(str(code), sentence)
    if known is None:
        return TemporaryError(sentence, code="hetzner_failed", retry_after=_RETRY)
    return as_asked_by_the_platform(known)


def _of(slug: str) -> str:
    return f"{TENANT}={slug}"


def _lift(volume: BoundVolume) -> None:
    if volume.protection is None or volume.protection["delete"]:
        _wait(volume.change_protection(delete=False))


def _wait(action: BoundAction | None) -> None:
    if action is not None:
        action.wait_until_finished()
