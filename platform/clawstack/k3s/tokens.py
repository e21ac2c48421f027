"""Join tokens: which machine gets which, and in which form."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from clawstack.errors import InvalidInputError
from clawstack.k3s.config import AGENT_TOKEN, SERVER_TOKEN
from clawstack.k3s.settings import NodeRole, NodeSettings

_TOKEN: Final = re.compile(r"[A-Za-z0-9]{32,128}")
_SECRET_URL: Final = re.compile(r"https://[!-~]{8,2000}")
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What `user_data` is given; nothing of it is ever shown."""

    agent: str = field(repr=False)
    server: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    ca_certificate: str | None = None

    def require_usable(self, node: NodeSettings) -> None:
        """Raises InvalidInputError, without the token, for what K3s or the node's script could not take."""
        if self.server is None and node.role is NodeRole.CONTROL_PLANE:
            raise InvalidInputError("A control plane needs the server token.", code="bad_node_token")
        for name, value in (("server token", self.server), ("agent token", self.agent)):
            if value is not None and not _TOKEN.fullmatch(value):
                raise InvalidInputError(f"The {name} must be 32 to 128 letters and digits.", code="bad_node_token")
        if self.server == self.agent:
            raise InvalidInputError(
                "Server token and agent token are the same; a worker could join as a control plane.",
                code="bad_node_token",
            )
        if self.url is not None and not _SECRET_URL.fullmatch(self.url):
            raise InvalidInputError("The tokens' address must start with https://.", code="bad_tokens_url")
        if self.ca_certificate is not None and not _CERTIFICATE.fullmatch(self.ca_certificate):
            raise InvalidInputError(
                "The cluster's authority must be one PEM certificate that ends in a line break.",
                code="bad_ca_certificate",
                remedy="Give the content of server-ca.crt as it lies on the control planes, to the byte.",
            )

    def files(self, node: NodeSettings) -> dict[str, str]:
        """Content by file name below K3s' folder; none where the node fetches them."""
        if self.url is not None:
            return {}
        if node.role is NodeRole.WORKER or self.server is None:
            return {AGENT_TOKEN: self._for_joining("node", self.agent)}
        joins = not (node.first and node.cluster.initialise)
        server = self._for_joining("server", self.server) if joins else self.server
        return {SERVER_TOKEN: server, AGENT_TOKEN: self.agent}

    def _for_joining(self, user: str, password: str) -> str:
        """K3s' secure form names the authority, so that a node sends its token to no stranger (documentation, token).

        K3s compares the SHA-256 of the very bytes of the certificate's file.
        """
        if self.ca_certificate is None:
            return password
        return f"K10{hashlib.sha256(self.ca_certificate.encode()).hexdigest()}::{user}:{password}"
