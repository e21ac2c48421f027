"""Certificate authorities and the administrator's certificate, as a pure function of seeds and a date.

K3s takes the authorities that it finds and makes the others itself. Because the stack knows them, it can sign the
administrator's certificate and output a kubeconfig without ever logging in to a server. Seeds are random bytes in
Pulumi's encrypted state: equal seeds give equal bytes, so an update changes nothing.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_YEARS: Final = 10  # K3s's own choice for its authorities
_ADMIN_DAYS: Final = 365  # and for client certificates
_CURVE_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # P-256, SEC 2


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str = field(repr=False)

    def der(self) -> str:
        """The key as base64 of its DER form (SEC 1)."""
        key = serialization.load_pem_private_key(self.key.encode(), password=None)
        return base64.b64encode(
            key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        ).decode()


def authority(seed: bytes, *, name: str, issued: dt.date) -> KeyPair:
    """A self-signed authority that is valid for ten years from `issued`."""
    key = _private_key(seed, name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), seed, issued, dt.timedelta(days=365 * _AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True), key)


def administrator(seed: bytes, *, signed_by: KeyPair, issued: dt.date) -> KeyPair:
    """A client certificate for a year. Group `system:masters` is above RBAC: it opens the cluster when RBAC is broken.

    Kubernetes cannot revoke it; it ends by time or with its authority.
    """
    issuer = x509.load_pem_x509_certificate(signed_by.certificate.encode())
    issuer_key = serialization.load_pem_private_key(signed_by.key.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):  # pragma: no cover - `authority` makes no other
        raise TypeError(type(issuer_key).__name__)
    key = _private_key(seed, "administrator")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
            x509.NameAttribute(NameOID.COMMON_NAME, "clawstack-administrator"),
        ]
    )
    builder = (
        _builder(subject, issuer.subject, key.public_key(), seed, issued, dt.timedelta(days=_ADMIN_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return _pair(builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True), key)


def _private_key(seed: bytes, purpose: str) -> ec.EllipticCurvePrivateKey:
    # 48 bytes against a 32-byte order: the bias of the remainder is below 2^-128.
    stream = HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=b"clawstack " + purpose.encode()).derive(seed)
    return ec.derive_private_key(int.from_bytes(stream, "big") % (_CURVE_ORDER - 1) + 1, ec.SECP256R1())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    seed: bytes,
    issued: dt.date,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    start = dt.datetime.combine(issued, dt.time(), dt.UTC)
    serial = int.from_bytes(hashlib.sha256(b"serial" + seed + issued.isoformat().encode()).digest()[:16], "big")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial >> 1 | 1)
        .not_valid_before(start)
        .not_valid_after(start + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        key_encipherment=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    # SEC 1 ("EC PRIVATE KEY") is what K3s writes for its own authorities.
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return KeyPair(certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(), key=pem.decode())
