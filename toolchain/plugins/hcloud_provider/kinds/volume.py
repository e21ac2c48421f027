"""Volumes, their attachments, and snapshots of servers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from clawstack.errors import ConflictError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Lost, Object
from toolchain.plugins.hcloud_provider.cloud.session import Session, given
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.parts import LOST_TRIES, add_part
from toolchain.plugins.hcloud_provider.model.resource import UNFINISHED, NamedObject, Resource, Values, common, marks
from toolchain.plugins.hcloud_provider.model.shapes import Field, flag, labels, text, whole

_SMALLEST, _LARGEST = 10, 10240
_DETACHED = ("volume_not_attached", "not_found")


def attach(session: Session, volume: str, wish: Values, *, repeatable: bool = True) -> None:
    """Attach a volume to the wished server."""
    body = given({"server": wish["serverId"], "automount": wish.get("automount")})
    what = f"attach volume {volume} to server {wish['serverId']}"
    session.act(f"/volumes/{volume}/actions/attach", what, body, repeatable=repeatable)


def detach(session: Session, volume: str) -> None:
    """Detach a volume; one that is attached to nothing is fine."""
    session.act(f"/volumes/{volume}/actions/detach", f"detach volume {volume}", fine=_DETACHED)


class Volume(NamedObject):
    """A block device; grows, never shrinks."""

    type_name = "hcloud:index/volume:Volume"
    noun, plural, key = "volume", "volumes", "volume"
    computed = ("linuxDevice",)
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "size": whole(required=True, complaint=words.between(_SMALLEST, _LARGEST)),
        "location": text(computed=True, replaces=True),
        "serverId": whole(computed=True),
        "labels": labels(),
        "automount": flag(readable=False),
        "format": text(readable=False, values=("ext4", "xfs")),
        "deleteProtection": flag(default=False),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        size, was = wish.get("size"), before.get("size")
        if isinstance(size, int) and isinstance(was, int) and size < was:
            remedy = f"keep {was}, or make a new volume and copy the data"
            yield "size", f"size is {size} and was {was}; a volume can only grow: {remedy}."
        if before.get("format") and wish.get("format") not in (before["format"], UNKNOWN):
            remedy = "keep it, or make a new volume and copy the data"
            yield "format", f"format was {before['format']!r}; a volume is formatted only once: {remedy}."
        location, server = wish.get("location"), wish.get("serverId")
        if location is None and server is None:
            yield "location", "location or serverId is required: a volume lies in one location."
        if not before and location not in (None, UNKNOWN) and server not in (None, UNKNOWN):
            yield "location", "location does not go with serverId; the volume is made where the server is."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {
            "size": wish["size"],
            "location": wish.get("location"),
            "server": wish.get("serverId") or None,
            "automount": wish.get("automount") if wish.get("serverId") else None,
            "format": wish.get("format"),
        }

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        return {
            "size": found["size"],
            "location": found["location"]["name"],
            "serverId": found.get("server") or 0,
            "linuxDevice": found.get("linux_device") or "",
        }

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, changed)
        if "serverId" in changed:
            if live.get("serverId"):
                detach(session, identity)
            if wish.get("serverId"):
                attach(session, identity, wish)
        if "size" in changed:
            path = f"{self.path(identity)}/actions/resize"
            session.act(path, f"resize {self.label(wish)} to {wish['size']} GB", {"size": wish["size"]})

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        found = session.get(self.path(identity), self.key, f"volume {identity}")
        if found is not None and found.get("server") and not (found.get("protection") or {}).get("delete"):
            detach(session, identity)
        super().delete(session, identity, state)


class VolumeAttachment(Resource):
    """A volume at a server; its id is the volume's, which has one server at most."""

    type_name = "hcloud:index/volumeAttachment:VolumeAttachment"
    noun = "volume attachment"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "volumeId": whole(required=True, replaces=True),
        "serverId": whole(required=True, replaces=True),
        "automount": flag(computed=True, readable=False),
    }

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        identity = str(wish["volumeId"])
        path = f"/volumes/{identity}"
        server = self._server(session, identity)
        if server is not None:
            raise ConflictError(
                f"Volume {identity} is attached to server {server} already.",
                code="hetzner_volume_already_attached",
                remedy=f"Detach it there first, or import the attachment as {identity}; a volume has one server at a time.",
            )
        add_part(
            session,
            self.label(wish),
            path,
            there=lambda: self._server(session, identity) == wish["serverId"],
            add=lambda: attach(session.making(identity), identity, wish, repeatable=False),
        )
        return identity

    @staticmethod
    def _server(session: Session, volume: str) -> int | None:
        found = session.get(f"/volumes/{volume}", "volume", f"volume {volume}") or {}
        return found.get("server")

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        found = session.get(f"/volumes/{identity}", "volume", f"volume {identity}")
        if found is None or not found.get("server"):
            return None
        return identity, {"volumeId": int(identity), "serverId": found["server"]}

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        found = session.get(f"/volumes/{identity}", "volume", f"volume {identity}")
        if found is not None and found.get("server") in (
            state.get("serverId"),
            *([] if state else [found.get("server")]),
        ):
            detach(session, identity)

    @override
    def label(self, wish: Values) -> str:
        return f"attachment of volume {wish.get('volumeId')}"


class Snapshot(Resource):
    """An image of a server's disk."""

    type_name = "hcloud:index/snapshot:Snapshot"
    noun = "snapshot"
    fields: ClassVar[Mapping[str, Field]] = {
        "serverId": whole(required=True, replaces=True),
        "description": text(),
        "labels": labels(),
    }

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        labels = dict(wish.get("labels") or {})
        if marks(labels):
            labels[UNFINISHED] = "snapshot"
        body = {"type": "snapshot", "description": wish.get("description"), "labels": labels}
        path = f"/servers/{wish['serverId']}/actions/create_image"
        for _ in range(LOST_TRIES):
            self._sweep(session, wish, known)
            try:
                answer = session.create(path, body, self.label(wish))
            except Lost as lost:
                session.tell(f"{lost.message} Beginning anew.")
                continue
            identity = str(answer["image"]["id"])
            session.making(identity).settle(answer)
            return identity
        raise Lost(f"Hetzner's answers to creating {self.label(wish)} keep getting lost.")

    def _sweep(self, session: Session, wish: Values, known: Collection[str]) -> None:
        """Remove what a broken-off run began: it is in no state, and shows the disk of that time, not of now."""
        wanted = marks(wish.get("labels") or {})
        if not wanted:
            return
        for image in session.every("/images", "images", type="snapshot", label_selector=UNFINISHED):
            source = (image.get("created_from") or {}).get("id")
            if (
                source == wish["serverId"]
                and marks(image.get("labels") or {}) == wanted
                and str(image["id"]) not in known
            ):
                session.settle_running(f"/servers/{source}")
                session.delete(f"/images/{image['id']}", f"snapshot {image['id']}")

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        found = session.get(f"/images/{identity}", "image", f"snapshot {identity}")
        if found is None or found.get("type") != "snapshot":
            return None
        source = (found.get("created_from") or {}).get("id") or wish.get("serverId")
        told = {"serverId": source, "description": found.get("description") or ""}
        return str(found["id"]), {**told, "labels": common(found)["labels"]}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        body = {"description": wish.get("description") or "", "labels": dict(wish.get("labels") or {})}
        session.change(f"/images/{identity}", {name: body[name] for name in changed if name in body}, self.label(wish))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        session.delete(f"/images/{identity}", f"snapshot {identity}")

    @override
    def label(self, wish: Values) -> str:
        return f"snapshot of server {wish.get('serverId')}"
