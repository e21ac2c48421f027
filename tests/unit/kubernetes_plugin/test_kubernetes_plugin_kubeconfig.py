"""Which kubeconfigs can be used, and what is said of those that cannot."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clawstack.errors import InvalidInputError
from toolchain.plugins.kubernetes_provider.kubeconfig import read_access, server_of


def content(user: Mapping[str, str | dict[str, str]] | None = None, /, **cluster: str) -> dict[str, Any]:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": {"token": "planted-token"} if user is None else user}],
    }


def pair() -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def test_a_token_and_the_systems_authorities() -> None:
    access = read_access(yaml.safe_dump(content()))
    assert access.server == "https://10.0.0.1:6443"
    assert access.token == "planted-token"
    assert access.tls is not None
    assert access.tls.verify_mode == ssl.CERT_REQUIRED
    assert access.tls.check_hostname
    assert "planted" not in repr(access)


def test_certificates_as_data_and_as_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    certificate, key = pair()
    encoded = {"client-certificate-data": base64.b64encode(certificate).decode()}
    encoded["client-key-data"] = base64.b64encode(key).decode()
    authority = {"certificate-authority-data": base64.b64encode(certificate).decode()}
    access = read_access(yaml.safe_dump(content(encoded, **authority)))
    assert access.tls is not None
    assert len(access.tls.get_ca_certs()) == 1, "the cluster's authority, and no other"
    (tmp_path / "a.crt").write_bytes(certificate)
    (tmp_path / "a.key").write_bytes(key)
    files = content({"client-certificate": "a.crt", "client-key": "a.key"}, **{"certificate-authority": "a.crt"})
    (tmp_path / "config").write_text(yaml.safe_dump(files))
    assert read_access(str(tmp_path / "config")).token is None


def test_a_context_can_be_chosen() -> None:
    data = content()
    data["contexts"].append({"name": "other", "context": {"cluster": "k2", "user": "u"}})
    data["clusters"].append({"name": "k2", "cluster": {"server": "http://127.0.0.1:8001/"}})
    access = read_access(yaml.safe_dump(data), "other")
    assert (access.server, access.tls) == ("http://127.0.0.1:8001", None)
    assert server_of(yaml.safe_dump(data)) == "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("kubeconfig", "words"),
    [
        ("/nowhere/at/all", "cannot be read"),
        ("a: [\n", "cannot be read"),
        ("- a\n- b\n", "no mapping"),
        (yaml.safe_dump({**content(), "current-context": "x"}), "no context 'x'; there are c"),
        (yaml.safe_dump({**content(), "users": []}), "no user 'u'; there are none"),
        (yaml.safe_dump(content(server="planted")), "is no http"),
        (yaml.safe_dump(content({"exec": {"command": "aws"}})), "from a program"),
        (yaml.safe_dump(content({"client-key-data": "not base64!"})), "client-key cannot be read"),
        (yaml.safe_dump(content(**{"certificate-authority": "/nowhere"})), "certificate-authority cannot be read"),
        (
            yaml.safe_dump(content(**{"certificate-authority-data": base64.b64encode(b"planted-key").decode()})),
            "certificates cannot be used",
        ),
    ],
)
def test_an_unusable_one_is_refused_without_telling_its_content(kubeconfig: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as refused:
        read_access(kubeconfig)
    assert "planted-token" not in refused.value.sentence()
    assert "planted-key" not in refused.value.sentence()
    assert refused.value.remedy
