"""SSH keys: checked, with their fingerprint; neither name nor key may come twice."""

import base64
import binascii
import hashlib
from typing import Final

from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, kind_routes, new_row

_LONGEST_KEY: Final = 16_384


def fingerprint(public_key: str) -> str:
    """Return the MD5 fingerprint of an OpenSSH public key, as the API shows it. Raises invalid_input."""
    kind, _, rest = public_key.strip().partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("public_key", "invalid SSH public key") from error
    # The blob begins with its own type, length first.
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise invalid("public_key", "invalid SSH public key")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def _create(call: Call) -> Answer:
    name = fields.text(call.body, "name")
    public_key = fields.text(call.body, "public_key", longest=_LONGEST_KEY)
    row = new_row(call, "ssh_keys", name=name, public_key=public_key, fingerprint=fingerprint(public_key))
    if any(other["fingerprint"] == row["fingerprint"] for other in call.project.rows("ssh_keys")):
        raise ApiError("uniqueness_error", "SSH key not unique", {"fields": [{"name": "public_key"}]})
    call.project.check_quota("ssh_keys")
    return KIND.answer(call, call.project.add("ssh_keys", row), 201)


def _delete(call: Call) -> Answer:
    return call.remove("ssh_keys", call.target("ssh_keys"))


KIND: Final = Kind(name="ssh_keys", key="ssh_key", show=lambda _, row: row, filters=("name", "fingerprint"))
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, with_actions=False),
    ("POST", "/ssh_keys", _create),
    ("DELETE", "/ssh_keys/{id}", _delete),
]
