"""Images written without a registry: an archive that containerd accepts, the same at every writing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from pathlib import Path

from toolchain.cluster.archive import Entry, Settings, tree, with_parents, write_archive
from toolchain.cluster.contents import libraries

NAME = "clawstack.test/thing:1.2"


def entries(root: Path) -> list[Entry]:
    return [
        Entry(path="/bin/tool", source=root / "tool"),
        Entry(path="/bin/sh", link="tool"),
        Entry(path="/etc/passwd", content=b"root", mode=0o644),
        Entry(path="/tmp", mode=0o1777),
    ]


def written(folder: Path, *, when: int = 0) -> tuple[str, Path]:
    folder.mkdir()
    (folder / "tool").write_bytes(b"program")
    os.utime(folder / "tool", (when, when))
    file = folder / "image.tar"
    settings = Settings(command=("/bin/tool",), environ={"PATH": "/bin"}, user="1000")
    return write_archive(file, NAME, entries(folder), settings), file


def blobs(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {member.name: (archive.extractfile(member) or _empty()).read() for member in archive}


def _empty() -> object:
    raise AssertionError("an image archive holds files only")


def test_every_blob_is_named_by_its_own_digest(tmp_path: Path) -> None:
    _, file = written(tmp_path / "a")
    for name, content in blobs(file).items():
        if name.startswith("blobs/sha256/"):
            assert name.rpartition("/")[2] == hashlib.sha256(content).hexdigest()


def test_the_reference_is_found_by_tag_and_by_digest(tmp_path: Path) -> None:
    reference, file = written(tmp_path / "a")
    assert re.fullmatch(rf"{re.escape(NAME)}@sha256:[0-9a-f]{{64}}", reference)
    manifests = json.loads(blobs(file)["index.json"])["manifests"]
    digest = reference.rpartition("@")[2]
    assert {each["digest"] for each in manifests} == {digest}
    names = {each["annotations"]["io.containerd.image.name"] for each in manifests}
    assert names == {NAME, f"clawstack.test/thing@{digest}"}


def test_the_manifest_leads_to_the_configuration_and_the_layer(tmp_path: Path) -> None:
    reference, file = written(tmp_path / "a")
    held = blobs(file)
    manifest = json.loads(held[f"blobs/sha256/{reference.rpartition(':')[2]}"])
    config = json.loads(held[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    layer = held[f"blobs/{manifest['layers'][0]['digest'].replace(':', '/')}"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert manifest["layers"][0]["size"] == len(layer)
    assert config["config"]["User"] == "1000"
    assert config["config"]["Entrypoint"] == ["/bin/tool"]


def test_the_same_files_give_the_same_digest_whenever_they_were_written(tmp_path: Path) -> None:
    assert written(tmp_path / "a", when=1)[0] == written(tmp_path / "b", when=2_000_000)[0]


def test_the_layer_holds_files_links_and_folders_with_their_modes(tmp_path: Path) -> None:
    reference, file = written(tmp_path / "a")
    held = blobs(file)
    manifest = json.loads(held[f"blobs/sha256/{reference.rpartition(':')[2]}"])
    (tmp_path / "layer.tar").write_bytes(held[f"blobs/{manifest['layers'][0]['digest'].replace(':', '/')}"])
    with tarfile.open(tmp_path / "layer.tar") as layer:
        seen = {member.name: (member.type, member.mode, member.uid, member.linkname) for member in layer}
    assert seen == {
        "bin": (tarfile.DIRTYPE, 0o755, 0, ""),
        "bin/tool": (tarfile.REGTYPE, 0o755, 0, ""),
        "bin/sh": (tarfile.SYMTYPE, 0o755, 0, "tool"),
        "etc": (tarfile.DIRTYPE, 0o755, 0, ""),
        "etc/passwd": (tarfile.REGTYPE, 0o644, 0, ""),
        "tmp": (tarfile.DIRTYPE, 0o1777, 0, ""),
    }


def test_nothing_is_left_beside_the_archive(tmp_path: Path) -> None:
    _, file = written(tmp_path / "a")
    assert {each.name for each in file.parent.iterdir()} == {"tool", "image.tar"}


def test_a_tree_keeps_links_and_the_right_to_run_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "run").write_text("x")
    (tmp_path / "sub" / "run").chmod(0o700)
    (tmp_path / "sub" / "data").write_text("x")
    (tmp_path / "sub" / "data").chmod(0o600)
    (tmp_path / "link").symlink_to("sub/run")
    found = {entry.path: (entry.link, entry.mode, entry.source is not None) for entry in tree(tmp_path, "/opt/t")}
    assert found == {
        "/opt/t": (None, 0o755, False),
        "/opt/t/link": ("sub/run", 0o755, False),
        "/opt/t/sub": (None, 0o755, False),
        "/opt/t/sub/data": (None, 0o644, True),
        "/opt/t/sub/run": (None, 0o755, True),
    }


def test_folders_come_before_what_lies_in_them_and_only_once() -> None:
    given = [Entry(path="/a/b/c", content=b""), Entry(path="/a/b"), Entry(path="/a/b/d", content=b"")]
    assert [entry.path for entry in with_parents(given)] == ["/a", "/a/b", "/a/b/c", "/a/b/d"]


def test_libraries_are_taken_where_the_loader_looks_for_them() -> None:
    listing = (
        "\tlinux-vdso.so.1 (0x00007f6ce6b35000)\n"
        "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f6ce6a35000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f6ce6b37000)\n"
    )
    assert libraries(listing) == ("/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2")
