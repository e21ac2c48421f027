"""SSH keys, placement groups and certificates: objects that are made, renamed, labelled and deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Plain, labels, many, text


def _same_key(old: Any, new: Any) -> bool:
    """Kind and key; the comment behind them means nothing."""
    return str(old).split()[:2] == str(new).split()[:2]


def _same_text(old: Any, new: Any) -> bool:
    return str(old).strip() == str(new).strip()


def _public_key(value: Any) -> str | None:
    return None if len(value.split()) > 1 else "is no public key; give the content of a file such as id_ed25519.pub"


class SshKey(NamedObject):
    """A public key that servers are made with."""

    type_name = "hcloud:index/sshKey:SshKey"
    noun, plural, key = "SSH key", "ssh_keys", "ssh_key"
    computed = ("fingerprint",)
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "publicKey": text(required=True, replaces=True, complaint=_public_key, same=_same_key),
        "labels": labels(),
    }

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {"public_key": wish["publicKey"]}

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        return {"publicKey": found["public_key"], "fingerprint": found.get("fingerprint") or ""}


class PlacementGroup(NamedObject):
    """Servers that must not share a host; at most 10."""

    type_name = "hcloud:index/placementGroup:PlacementGroup"
    noun, plural, key = "placement group", "placement_groups", "placement_group"
    computed = ("servers",)
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "type": text(required=True, replaces=True, values=("spread",)),
        "labels": labels(),
    }

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {"type": wish["type"]}

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        return {"type": found["type"], "servers": sorted(found.get("servers") or [])}


class _Certificate(NamedObject):
    noun, plural, key = "certificate", "certificates", "certificate"
    computed = ("created", "domainNames", "fingerprint", "notValidAfter", "notValidBefore", "type", "certificate")

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        return {
            "certificate": found.get("certificate") or "",
            "created": found.get("created") or "",
            "domainNames": found.get("domain_names") or [],
            "fingerprint": found.get("fingerprint") or "",
            "notValidAfter": found.get("not_valid_after") or "",
            "notValidBefore": found.get("not_valid_before") or "",
            "type": found.get("type") or "",
        }

    @override
    def protect(self, session: Session, identity: str, wish: Values) -> None:
        """Certificates have no protection."""

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, set(changed) - {"deleteProtection"})


class UploadedCertificate(_Certificate):
    """A certificate that was got elsewhere."""

    type_name = "hcloud:index/uploadedCertificate:UploadedCertificate"
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "certificate": text(required=True, replaces=True, same=_same_text),
        "privateKey": text(required=True, replaces=True, readable=False, secret=True, same=_same_text),
        "labels": labels(),
    }

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {"type": "uploaded", "certificate": wish["certificate"], "private_key": wish["privateKey"]}


class ManagedCertificate(_Certificate):
    """A certificate that Hetzner gets from Let's Encrypt."""

    type_name = "hcloud:index/managedCertificate:ManagedCertificate"
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "domainNames": many(Plain.TEXT, required=True, replaces=True, least=1),
        "labels": labels(),
    }

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {"type": "managed", "domain_names": wish["domainNames"]}
