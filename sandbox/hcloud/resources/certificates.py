"""Certificates of load balancers: uploaded ones are read, managed ones are issued after a while."""

from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from sandbox.frame.values import Json
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.model.moments import iso
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row

_LONGEST_PEM: Final = 65_536
_LIFETIME: Final = 90 * 24 * 3600.0


def _users(project: Project, number: int) -> list[int]:
    services = ((row["id"], one) for row in project.rows("load_balancers") for one in row["services"])
    return [balancer for balancer, one in services if number in one.get("http", {}).get("certificates", [])]


def show(call: Call, row: Json) -> Json:
    """Return a certificate with the load balancers that use it; its private key stays inside."""
    return {**row, "used_by": [{"id": one, "type": "load_balancer"} for one in _users(call.project, row["id"])]}


def read_certificate(pem: str, key: str) -> Json:
    """Return what a certificate says of itself. Raises invalid_input for one that cannot be read or has another key."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except ValueError as error:
        raise invalid("certificate", f"certificate or private key cannot be read: {error}") from error
    if _spki(certificate.public_key()) != _spki(private.public_key()):
        raise invalid("private_key", "does not belong to the certificate")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        "certificate": pem,
        "not_valid_before": certificate.not_valid_before_utc.isoformat(),
        "not_valid_after": certificate.not_valid_after_utc.isoformat(),
        "domain_names": names.get_values_for_type(x509.DNSName),
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    }


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _create(call: Call) -> Answer:
    kind = fields.choice(call.body, "type", ("uploaded", "managed"), default="uploaded")
    row = new_row(call, "certificates", name=fields.text(call.body, "name"), type=kind, status=None)
    call.project.check_quota("certificates")
    if kind == "managed":
        return _create_managed(call, row)
    pem, key = (fields.text(call.body, name, longest=_LONGEST_PEM) for name in ("certificate", "private_key"))
    row |= read_certificate(pem, key)
    return KIND.answer(call, call.project.add("certificates", row), 201, action=None)


def _create_managed(call: Call, row: Json) -> Answer:
    names = [str(one) for one in fields.items(call.body, "domain_names")]
    if not names:
        raise invalid("domain_names", "is required")
    row |= dict.fromkeys(("certificate", "not_valid_before", "not_valid_after", "fingerprint"))
    row |= {"domain_names": names, "status": {"issuance": "pending", "renewal": "unavailable", "error": None}}
    call.project.add("certificates", row)
    return KIND.answer(call, row, 201, action=_issuing(call, "create_certificate", row))


def _issuing(call: Call, command: str, row: Json) -> Json:
    issued = {
        "certificate": f"-----BEGIN CERTIFICATE-----\nmade up for {', '.join(row['domain_names'])}\n-----END CERTIFICATE-----\n",
        "not_valid_before": iso(call.now),
        "not_valid_after": iso(call.now + _LIFETIME),
        "fingerprint": ":".join(["00"] * 32),
        "status": {"issuance": "completed", "renewal": "scheduled", "error": None},
    }
    error = {"code": "ca_dns_validation_failed", "message": "DNS validation failed"}
    failed = change("certificates", row["id"], status={"issuance": "failed", "renewal": "unavailable", "error": error})
    done = change("certificates", row["id"], **issued)
    return call.start(command, [("certificates", row["id"])], effects=[done], undo=[failed])


def _retry(call: Call) -> Answer:
    row = call.free("certificates")
    if row["type"] != "managed" or row["status"]["issuance"] != "failed":
        raise ApiError("unsupported_error", "only a managed certificate whose issuance failed can be tried again")
    row["status"] = {"issuance": "pending", "renewal": "unavailable", "error": None}
    return action_answer(_issuing(call, "issue_certificate", row))


def _delete(call: Call) -> Answer:
    row = call.free("certificates")
    if _users(call.project, row["id"]):
        raise ApiError("resource_in_use", f"certificate with ID '{row['id']}' is still in use")
    return call.remove("certificates", row)


KIND: Final = Kind(name="certificates", key="certificate", show=show, filters=("name", "type"))
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND),
    ("POST", "/certificates", _create),
    ("DELETE", "/certificates/{id}", _delete),
    ("POST", "/certificates/{id}/actions/retry", _retry),
]
