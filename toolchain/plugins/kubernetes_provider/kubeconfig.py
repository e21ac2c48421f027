"""Reads a kubeconfig: which server, whom to trust, who we are."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from clawstack.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Access:
    """One cluster and one user of it."""

    server: str
    tls: ssl.SSLContext | None = field(repr=False)
    """None for plain HTTP (a `kubectl proxy`)."""
    token: str | None = field(default=None, repr=False)


def read_access(kubeconfig: str, context: str | None = None) -> Access:
    """The access that a kubeconfig (its text, or the path of one) describes.

    Raises InvalidInputError that names what is missing; never with a part of the content, which holds keys.
    """
    content, folder = _load(kubeconfig)
    chosen = context or content.get("current-context")
    names = _named(content, "contexts", "context", chosen)
    cluster = _named(content, "clusters", "cluster", names.get("cluster"))
    user = _named(content, "users", "user", names.get("user"))
    server = str(cluster.get("server") or "")
    if urlsplit(server).scheme not in {"http", "https"} or not urlsplit(server).hostname:
        raise _unusable(f"its server {server[:80]!r} is no http:// or https:// address")
    if "exec" in user or "auth-provider" in user:
        raise _unusable("its user gets credentials from a program, which the offline plugin does not start")
    token = user.get("token") or (_file(user, "tokenFile", folder) or b"").decode().strip() or None
    tls = _tls(cluster, user, folder) if server.startswith("https://") else None
    return Access(server=server.rstrip("/"), tls=tls, token=token)


def server_of(kubeconfig: str, context: str | None = None) -> str | None:
    """Only the server's address, None for a kubeconfig that cannot be read."""
    try:
        content, _ = _load(kubeconfig)
        names = _named(content, "contexts", "context", context or content.get("current-context"))
        return str(_named(content, "clusters", "cluster", names.get("cluster")).get("server"))
    except InvalidInputError:
        return None


def _load(kubeconfig: str) -> tuple[dict[str, Any], Path]:
    folder = Path.cwd()
    try:
        if "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{"):
            folder = Path(kubeconfig).expanduser().parent
            kubeconfig = Path(kubeconfig).expanduser().read_text(encoding="utf-8")
        content = yaml.safe_load(kubeconfig)
    except (OSError, yaml.YAMLError) as error:
        raise _unusable(f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise _unusable("it is no mapping")
    return content, folder


def _named(content: Mapping[str, Any], group: str, member: str, name: Any) -> dict[str, Any]:
    entries = [entry for entry in content.get(group) or [] if isinstance(entry, dict)]
    for entry in entries:
        if entry.get("name") == name:
            return dict(entry.get(member) or {})
    there = ", ".join(str(entry.get("name")) for entry in entries) or "none"
    raise _unusable(f"it has no {member} {name!r}; there are {there}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _file(cluster, "certificate-authority", folder)
    certificate, key = _file(user, "client-certificate", folder), _file(user, "client-key", folder)
    try:
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if certificate and key:
            # Python takes client certificates from files only; these live for one call, readable for this user.
            with tempfile.NamedTemporaryFile() as pair:
                pair.write(certificate + b"\n" + key)
                pair.flush()
                tls.load_cert_chain(pair.name)
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(f"its certificates cannot be used ({type(error).__name__})") from None
    return tls


def _file(section: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    """The content of `<name>-data`, or of the file `<name>`."""
    try:
        if section.get(f"{name}-data"):
            return base64.b64decode(section[f"{name}-data"], validate=True)
        return (folder / section[name]).read_bytes() if section.get(name) else None
    except (OSError, binascii.Error, ValueError) as error:
        raise _unusable(f"its {name} cannot be read ({type(error).__name__})") from None


def _unusable(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The kubeconfig cannot be used: {why}.", remedy="Give the provider a complete kubeconfig (text or path)."
    )
