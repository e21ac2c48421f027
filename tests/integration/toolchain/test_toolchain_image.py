"""The image as it is: the same when built again, nothing in it that has no place there, everything on its list.

The layers that change seldom come from the toolchain's cache (`make setup` for tests puts them there); what is built
here are the code and the whole.
"""

from __future__ import annotations

import email
import io
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from rich.console import Console

from clawstack.errors import NeedsAttentionError, NotFoundError, PermanentError
from tests.integration.toolchain.registry import Store, digest, registry
from tests.waiting import patient
from toolchain.ground.oci import architecture
from toolchain.ground.surroundings import Surroundings
from toolchain.image import building, recipe
from toolchain.image.layout import Image
from toolchain.publishing import releasing, signing
from toolchain.publishing.reference import Reference, parse
from toolchain.publishing.registry import Registry
from toolchain.publishing.releasing import Release
from toolchain.publishing.verifying import verify
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress

NAME = "clawstack.test/clawstack:1"
_CHROOT = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin") or "chroot"
_NEVER = re.compile(
    r"(^|/)(\.git|\.env|\.cache|\.pypirc|\.netrc|id_rsa|pip|sandbox|tests|bench|node_modules)(/|$)"
    r"|^usr/bin/(gcc|cc|g\+\+|clang|make|ld|apt|apt-get|pip3?|curl|wget|git|ssh)$|\.deb$|\.whl$|^var/(cache|lib/apt)/."
)
_FOREIGN = re.compile(rf"^{recipe.SITE[1:]}/[^/]+/(.*/)?(tests|pip|bench)(/|$)")
"""Packages bring folders of these names along; what is meant above are ours, and pip itself."""


def board() -> Board:
    return Board(Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return building.build(Surroundings.read(), board(), tmp_path_factory.mktemp("image"), NAME)


@pytest.fixture(scope="module")
def unpacked(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("root")
    root.chmod(0o755)
    for layer in image.layers:
        subprocess.run(["tar", "-xpzf", layer.file, "-C", root], check=True, timeout=patient(120))
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def files(unpacked: Path) -> dict[str, os.stat_result]:
    """What a container sees, by path without a leading slash."""
    found = {}
    for folder, folders, names in os.walk(unpacked):
        for name in (*folders, *names):
            path = Path(folder, name)
            found[str(path.relative_to(unpacked))] = path.lstat()
    return found


def inside(root: Path, *command: str) -> str:
    """What a command says in the image, as its account and with its environment."""
    environ = {**recipe.ENVIRONMENT, "HOME": "/tmp"}
    who = f"--userspec={recipe.USER}:{recipe.USER}"
    answer = subprocess.run(
        [_CHROOT, who, str(root), *command], capture_output=True, text=True, check=False, env=environ,
        timeout=patient(60),
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_built_again_it_has_the_same_digest(image: Image, tmp_path: Path) -> None:
    again = building.build(Surroundings.read(), board(), tmp_path, NAME)
    assert again.digest == image.digest
    assert again.layers[-1].file != image.layers[-1].file


def test_the_base_is_what_it_was_where_the_lock_was_written(image: Image) -> None:
    """As long as Debian serves the same versions: then another machine has made the same bytes."""
    locked = json.loads(recipe.DEBIAN_LOCK.read_text()).get(architecture(Surroundings.read().machine), {})
    base = image.layers[0]
    if locked.get("packages") == {each.name: each.version for each in base.components}:
        assert base.diff_id == locked["diff_id"]


def test_it_runs_as_an_account_without_rights_and_is_dated_by_the_commit(image: Image) -> None:
    config = json.loads(image.config)
    assert config["config"]["User"] == "10001:10001"
    assert config["created"] == building.revision().created
    assert not [name for name in config["config"]["Env"] if re.search("SECRET|TOKEN|PASSWORD|KEY", name)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root unpacks owners")
def test_nothing_in_it_can_be_changed_or_gives_rights(files: dict[str, os.stat_result]) -> None:
    assert len(files) > 10_000
    assert [name for name, each in files.items() if each.st_mode & 0o6000] == []
    regular = {name: each for name, each in files.items() if stat.S_ISREG(each.st_mode)}
    assert [name for name, each in regular.items() if each.st_uid or each.st_mode & 0o022] == []
    others = {name for name, each in files.items() if not (stat.S_ISDIR(each.st_mode) or stat.S_ISLNK(each.st_mode))}
    assert others == regular.keys()


def test_no_compiler_cache_secret_or_stand_in_is_in_it(files: dict[str, os.stat_result]) -> None:
    assert [name for name in files if _NEVER.search(name) and not _FOREIGN.search(name)] == []
    for folder in recipe.CODE:
        assert f"opt/clawstack/{folder}" in files


def test_nothing_tells_where_it_was_built(unpacked: Path) -> None:
    words = [f"{building.code.ROOT}/{name}" for name in (".venv", "toolchain", "platform")]
    found = subprocess.run(
        ["grep", "-rlIF", *(f"-e{word}" for word in words), "etc", "opt/clawstack", "opt/clawstack-cache/plugins"],
        cwd=unpacked, capture_output=True, text=True, check=False, timeout=patient(60),
    )  # fmt: skip
    assert found.stdout == ""


def test_compiled_files_are_taken_whatever_the_time_of_their_source(unpacked: Path) -> None:
    """Flag 1 in their head, https://peps.python.org/pep-0552: in the image no source has its time any more."""
    for place in ("opt/clawstack/services/run/__pycache__", f"{recipe.SITE[1:]}/stripe/__pycache__"):
        heads = {file.read_bytes()[4:8] for file in (unpacked / place).glob("*.pyc")}
        assert heads == {b"\1\0\0\0"}


def test_every_installed_package_is_on_its_list(unpacked: Path) -> None:
    listed = (unpacked / recipe.SBOM[1:]).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(listed) is None
    document = json.loads(listed)
    purls = {each["purl"].partition("?")[0] for each in document["components"]}
    status = (unpacked / "var/lib/dpkg/status").read_text()
    debian = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)", status, re.MULTILINE))
    assert len(debian) > 50
    assert {f"pkg:deb/debian/{quote(k)}@{quote(v, safe=':~')}" for k, v in debian.items()} <= purls
    told = [
        email.message_from_string(file.read_text()) for file in unpacked.glob(f"{recipe.SITE[1:]}/*.dist-info/METADATA")
    ]
    packages = {f"pkg:pypi/{re.sub('[-_.]+', '-', each['Name']).lower()}@{each['Version']}" for each in told}
    assert len(packages) > 90
    assert packages - purls == {document["metadata"]["component"]["purl"]}
    assert any(purl.startswith("pkg:golang/github.com/pulumi/") for purl in purls)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root")
def test_its_commands_work_and_find_their_libraries(unpacked: Path) -> None:
    assert inside(unpacked, "clawstack", "--version").startswith("clawstack ")
    checks = {
        each["name"]: each["ok"] for each in json.loads(inside(unpacked, "clawstack", "doctor", "--json"))["checks"]
    }
    assert all(checks.values()), checks
    script = "find /opt -type f -name '*.so*' -exec ldd {} + 2>/dev/null | grep 'not found' || true"
    assert inside(unpacked, "sh", "-c", script) == ""


# ---- and as a release


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory):
    private, _ = signing.make_keys(tmp_path_factory.mktemp("keys"))
    return signing.load_private(private)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with registry(password="let me in") as served:
        yield served


@pytest.fixture(scope="module")
def target(store: Store) -> Reference:
    return parse(f"{store.address}/you/clawstack:1.2.0")


@pytest.fixture(scope="module")
def pushed(image: Image, store: Store, target: Reference, signer) -> Release:
    release = releasing.prepare(target, image, None, building.revision().created)
    store.troubles = 1  # a registry may be out of breath
    with connected(store, target) as client:
        releasing.push(release, client, signer, Progress(board=board(), name="Release"))
    return release


def connected(store: Store, target: Reference) -> Registry:
    return Registry(target, credentials=("pusher", store.password), pause=lambda _: None)


def test_a_release_is_found_under_its_tag_signed_and_whole(
    pushed: Release, store: Store, target: Reference, signer
) -> None:
    with connected(store, target) as client:
        assert verify(client, target, signer.public_key()) == pushed.image.digest
        for tag in pushed.beside:
            assert verify(client, at(target, tag=tag), signer.public_key()) == pushed.beside[tag].digest
    assert store.order[-1] == target.tag
    assert store.order.index(f"{pushed.image.digest.replace(':', '-')}.sig") < store.order.index(target.tag)


def test_what_is_there_already_is_not_pushed_again(pushed: Release, store: Store, target: Reference, signer) -> None:
    store.asked.clear()
    with connected(store, target) as client:
        releasing.push(pushed, client, signer, Progress(board=board(), name="Release"))
    # The signature's own bytes are new each time, everything else is there.
    assert len([line for line in store.asked if line.startswith("PUT") and "/blobs/" in line]) <= 2 * 3


def at(target: Reference, *, tag: str = "", digest: str = "") -> Reference:
    return Reference(host=target.host, repository=target.repository, tag=tag, digest=digest)


def refused(store: Store, reference: Reference, key) -> str:
    with connected(store, reference) as client, pytest.raises((PermanentError, NotFoundError)) as error:
        verify(client, reference, key)
    return error.value.code


def test_what_was_changed_on_the_way_is_refused(
    pushed: Release, store: Store, target: Reference, signer, monkeypatch
) -> None:
    key, own = signer.public_key(), pushed.image.digest
    changed = pushed.image.manifest.replace(b'"size":', b'"size" :', 1)
    layer = f"sha256:{pushed.image.layers[-1].digest}"
    with monkeypatch.context() as patch:  # another manifest under the digest of the right one
        patch.setitem(store.manifests, own, changed)
        assert refused(store, at(target, digest=own), key) == "tampered"
    with monkeypatch.context() as patch:  # the tag leads to another manifest
        patch.setitem(store.manifests, target.tag, changed)
        assert refused(store, target, key) == "not_signed"
    with monkeypatch.context() as patch:  # another layer
        patch.setitem(store.blobs, layer, store.blobs[layer][:-1] + b"x")
        assert refused(store, target, key) == "tampered"
    with monkeypatch.context() as patch:  # other manifests for the cluster
        [tag] = [tag for tag in pushed.beside if tag.endswith("-manifests")]
        named = json.loads(pushed.beside[tag].manifest)["layers"][0]["digest"]
        patch.setitem(store.blobs, named, store.blobs[named].replace(b"clawstack", b"clawstuck"))
        assert refused(store, at(target, tag=tag), key) == "tampered"
    with monkeypatch.context() as patch:  # no signature
        patch.delitem(store.manifests, signing.tag_of(own))
        assert refused(store, target, key) == "not_signed"


def test_a_signature_by_another_key_is_none(pushed: Release, store: Store, target: Reference, tmp_path: Path) -> None:
    _, public = signing.make_keys(tmp_path)
    assert refused(store, target, signing.load_public(public)) == "not_signed"


def test_a_registry_that_refuses_is_told_with_the_remedy(store: Store, target: Reference) -> None:
    with Registry(target, credentials=("pusher", "wrong")) as client, pytest.raises(NeedsAttentionError) as error:
        client.push_blob(digest(b"x"), b"x")
    assert "REGISTRY_PASSWORD" in error.value.sentence()


def test_stand_in_plugins_and_a_changed_checkout_are_objected_to(image: Image) -> None:
    state = building.Revision(commit="ab" * 20, moment=1, changed=("toolchain/image/recipe.py",))
    found = list(releasing.objections(Surroundings.read(), image, state))
    assert "toolchain/image/recipe.py" in found[0]
    with pytest.raises(NeedsAttentionError, match="not as committed"):
        releasing.require(found)
    releasing.require([])
