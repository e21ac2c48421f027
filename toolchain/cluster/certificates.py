"""Certificates of one cluster: an authority, and one certificate per component. Made anew at every start."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolchain.cluster.layout import NODE_NAME, Layout

_LIFETIME: Final = timedelta(days=365)
_SKEW: Final = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a certificate speaks for. Kubernetes takes the common name as user and the organisation as group."""

    name: str
    user: str
    group: str | None = None
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def identities(layout: Layout) -> tuple[Identity, ...]:
    """Every certificate of a cluster."""
    network = layout.network
    api_names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    return (
        Identity(name="etcd", user="etcd", names=("localhost",), addresses=("127.0.0.1",)),
        Identity(
            name="apiserver",
            user="kube-apiserver",
            names=(*api_names, "kubernetes.default.svc.cluster.local"),
            addresses=("127.0.0.1", network.node_ip, network.api_service_ip),
        ),
        Identity(
            name="kubelet",
            user=f"system:node:{NODE_NAME}",
            group="system:nodes",
            names=(NODE_NAME,),
            addresses=(network.node_ip, "127.0.0.1"),
        ),
        Identity(name="controller-manager", user="system:kube-controller-manager"),
        Identity(name="scheduler", user="system:kube-scheduler"),
        Identity(name="proxy", user="system:kube-proxy"),
        Identity(name="admin", user="clawstack-admin", group="system:masters"),
        # Parts of the cluster itself that run beside it on this machine: no roles to keep in step for a test cluster.
        Identity(name="coredns", user="clawstack-coredns", group="system:masters"),
        Identity(name="volumes", user="clawstack-volumes", group="system:masters"),
    )


KUBECONFIGS: Final = ("kubelet", "controller-manager", "scheduler", "proxy", "coredns", "volumes")


def write_all(layout: Layout) -> None:
    """The authority, all certificates, the key of service accounts, and a kubeconfig for each who needs one."""
    layout.pki.mkdir(mode=0o700)
    authority_key, authority = _authority()
    _write(layout.pki / "ca.crt", _pem(authority))
    for identity in identities(layout):
        key, certificate = _issue(identity, authority_key, authority)
        _write(layout.pki / f"{identity.name}.crt", _pem(certificate))
        _write(layout.pki / f"{identity.name}.key", _key_pem(key))
    accounts = ec.generate_private_key(ec.SECP256R1())
    _write(layout.pki / "accounts.key", _key_pem(accounts))
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(layout.pki / "accounts.pub", public)
    for user in KUBECONFIGS:
        _write(layout.kubeconfig(user), kubeconfig(layout, user).encode())
    _write(layout.admin_kubeconfig, kubeconfig(layout, "admin").encode())


def kubeconfig(layout: Layout, user: str) -> str:
    """A kubeconfig with everything embedded, so that its content alone is enough."""

    def content(file: str) -> str:
        return base64.b64encode((layout.pki / file).read_bytes()).decode()

    name = "clawstack-test"
    cluster = {"server": layout.server, "certificate-authority-data": content("ca.crt")}
    credentials = {"client-certificate-data": content(f"{user}.crt"), "client-key-data": content(f"{user}.key")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        },
        sort_keys=False,
    )


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clawstack-test-cluster")])
    builder = _builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
    return key, builder.sign(key, hashes.SHA256())


def _issue(
    identity: Identity, authority_key: ec.EllipticCurvePrivateKey, authority: x509.Certificate
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    if identity.group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    builder = _builder(x509.Name(parts), authority.subject, key.public_key())
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True).add_extension(both, False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in identity.names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in identity.addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return key, builder.sign(authority_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC1 and PKCS8 are both read by Kubernetes; its signing key must be one of them, unencrypted.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
