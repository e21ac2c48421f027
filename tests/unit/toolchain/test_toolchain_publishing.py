"""Names, signatures and manifests of a release."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
import yaml

from clawstack.errors import InvalidInputError
from tests.unit.addons.builders import EXTERNAL_DATABASE, IMAGE, WORKLOADS
from toolchain.publishing import rendering, signing
from toolchain.publishing.reference import parse

NAME = "registry.example/you/clawstack"
DIGEST = "sha256:" + "ab" * 32


def test_names_are_read_as_people_write_them() -> None:
    found = parse(f"{NAME}:1.2@{DIGEST}")
    assert (found.name, found.tag, found.digest, found.url) == (NAME, "1.2", DIGEST, "https://registry.example")
    assert parse("127.0.0.1:5000/a:1").url == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "text", ["clawstack", "you/clawstack:1", f"{NAME}@sha256:ab", "https://a.example/b", f"{NAME}:1 2", "a.example/B:1"]
)
def test_what_names_no_image_of_a_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return signing.make_keys(tmp_path_factory.mktemp("keys"), "a password")


def test_a_private_key_is_its_owners_alone_and_closed(keys: tuple[Path, Path]) -> None:
    private, _ = keys
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in private.read_bytes()
    with pytest.raises(InvalidInputError):
        signing.load_private(private, "another")
    with pytest.raises(FileExistsError):
        signing.make_keys(private.parent)


def test_a_signature_holds_for_one_digest_under_one_name_and_one_key(keys: tuple[Path, Path], tmp_path: Path) -> None:
    private, public = (signing.load_private(keys[0], "a password"), signing.load_public(keys[1]))
    artifact = signing.sign(NAME, DIGEST, private)
    [described] = json.loads(artifact.manifest)["layers"]
    payload, signature = artifact.blobs[described["digest"]], described["annotations"][signing.ANNOTATION]
    assert signing.is_signed(NAME, DIGEST, payload, signature, public)
    other = signing.load_public(signing.make_keys(tmp_path)[1])
    swapped = payload.replace(b"abab", b"cdcd")
    for name, digest, said, mark, key in (
        ("registry.example/other", DIGEST, payload, signature, public),
        (NAME, DIGEST.replace("ab", "cd"), payload, signature, public),
        (NAME, DIGEST.replace("ab", "cd"), swapped, signature, public),
        (NAME, DIGEST, payload, base64.b64encode(b"x" * 70).decode(), public),
        (NAME, DIGEST, payload, "not base64!", public),
        (NAME, DIGEST, payload, signature, other),
    ):
        assert not signing.is_signed(name, digest, said, mark, key)


def test_the_manifests_name_the_image_by_digest_and_hold_no_secret() -> None:
    own = {**WORKLOADS, "image": "", "host": None, "scale_by_metrics": False}
    said = {"cluster": "prod", "database": EXTERNAL_DATABASE, "workloads": own}
    documents = list(yaml.safe_load_all(rendering.manifests(IMAGE, said)))
    kinds = [document["kind"] for document in documents]
    assert "Secret" not in kinds
    images = {
        container["image"]
        for document in documents
        if document["kind"] == "Deployment"
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    assert images == {IMAGE}
    part = yaml.safe_load(rendering.settings_part(IMAGE))
    assert part["config"]["clawstack:cluster"]["addons"]["workloads"]["image"] == IMAGE


def test_settings_that_cannot_be_are_named() -> None:
    with pytest.raises(InvalidInputError, match=r"workloads\.pulumi_backend_url"):
        rendering.manifests(IMAGE, {"cluster": "prod", "workloads": {"pulumi_backend_url": "file:///tmp"}})
