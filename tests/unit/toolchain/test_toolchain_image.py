"""What goes into the image of clawstack's own services and what never does."""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.toolchain.trees import complete, machine
from toolchain.cluster.archive import Entry
from toolchain.doctor import examine
from toolchain.ground import finding
from toolchain.image import debian, layer, packages, recipe, sbom
from toolchain.image.go_modules import modules_of
from toolchain.image.layer import Component
from toolchain.locate import locate

ROOT = Path(__file__).parents[3]
OWN = Component(kind="pypi", name="clawstack", version="1")


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def cleaned(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> tarfile.TarFile:
    raw, out = folder / "raw.tar", io.BytesIO()
    with tarfile.open(raw, "w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    debian.clean(raw, out)
    out.seek(0)
    return tarfile.open(fileobj=out)


def test_the_base_loses_devices_setuid_caches_and_whatever_tells_of_its_builder(tmp_path: Path) -> None:
    base = cleaned(
        tmp_path,
        member("./", type=tarfile.DIRTYPE),
        member("./dev/null", type=tarfile.CHRTYPE),
        member("./usr/bin/su", b"su", mode=0o4755),
        member("./usr/sbin/unix_chkpwd", b"x", mode=0o2755),
        member("./etc/hostname", b"the-builders-own"),
        member("./etc/resolv.conf", b"nameserver 192.0.2.1"),
        member("./etc/apt/sources.list", b"deb http://mirror.inside"),
        member("./var/cache/apt/pkgcache.bin", b"x"),
        member("./usr/bin/env", b"env", mode=0o755),
    )
    assert {each.name: each.mode for each in base} == {
        "usr/bin/su": 0o755,
        "usr/sbin/unix_chkpwd": 0o755,
        "usr/bin/env": 0o755,
    }


def test_the_account_of_the_pods_is_in_the_base(tmp_path: Path) -> None:
    base = cleaned(
        tmp_path, member("./etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), member("./etc/group", b"root:x:0:\n")
    )
    [*_, line] = base.extractfile("etc/passwd").read().decode().splitlines()
    assert line.split(":")[:4] == ["clawstack", "x", "10001", "10001"]
    assert base.extractfile("etc/group").read().endswith(b"clawstack:x:10001:\n")


def test_a_link_into_what_is_left_out_is_an_error_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="left out"):
        cleaned(
            tmp_path,
            member("./usr/share/doc/a", b"x"),
            member("./usr/bin/a", type=tarfile.LNKTYPE, linkname="./usr/share/doc/a"),
        )


@pytest.mark.parametrize(
    "path", ["usr/share/perl5/a", "etc/ssl/certs/a.pem", "var/lib/dpkg/status", "usr/share/docker"]
)
def test_what_programs_need_stays(path: str) -> None:
    assert not recipe.is_left_out(path)


def test_a_layer_is_the_same_at_every_writing(tmp_path: Path) -> None:
    entries = [Entry(path="/a/b", content=b"content"), Entry(path="/a/c", link="b")]
    component = Component(kind="deb", name="a", version="1")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        layer.write_entries(tmp_path / name, entries, [component])
    first, second = (layer.read(tmp_path / name) for name in ("one", "two"))
    assert replace(first, file=second.file) == second
    assert first.components == (component,)
    head = (tmp_path / "one" / "layer.tar.gz").read_bytes()[:8]
    assert head[4:] == bytes(4), "gzip's head tells the time"
    assert (tmp_path / "one" / "layer.tar.gz").stat().st_size == first.size


def test_the_lock_names_every_requirement_of_the_product_with_its_version_and_hashes() -> None:
    locked = dict(re.findall(r"^(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", recipe.LOCK.read_text(), re.MULTILINE))
    asked = [re.split(r"==", requirement) for requirement in packages._wanted()]
    stale = {name: version for name, version in asked if locked.get(packages._plain(name.partition("[")[0])) != version}
    assert asked
    assert not stale, "run `python -m toolchain image lock`"
    assert not recipe.NOT_INSTALLED.keys() & locked.keys()


def test_versions_that_are_not_those_of_the_lock_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "debian.json"
    lock.write_text(json.dumps({"amd64": {"packages": {"bash": "5.2", "dash": "0.5"}}}))
    monkeypatch.setattr(recipe, "DEBIAN_LOCK", lock)
    found = tuple(
        Component(kind="deb", name=name, version=version) for name, version in (("bash", "5.2"), ("dash", "0.6"))
    )
    base = layer.Layer(file=lock, digest="", size=0, diff_id="", components=found)
    assert debian.deviations(base, "x86_64") == ["dash 0.6 (locked: 0.5)"]


def test_the_modules_of_a_go_program_are_read_out_of_it(tmp_path: Path) -> None:
    said = "path\tmain\nmod\tmain\t(devel)\ndep\texample.com/a\tv1.0.0\th1:x\ndep\texample.com/b\tv1\n=>\texample.com/c\tv2\th1:y\n"
    guarded = b"s" * 16 + said.encode() + b"e" * 16
    head = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    program = tmp_path / "program"
    listed = bytes([8]) + b"go1.26.1" + bytes([len(guarded) & 0x7F | 0x80, len(guarded) >> 7]) + guarded
    program.write_bytes(bytes(64) + head + listed)
    assert modules_of(program) == (("stdlib", "1.26.1"), ("example.com/a", "v1.0.0"), ("example.com/c", "v2"))
    program.write_bytes(b"#!/bin/sh\n")
    assert modules_of(program) == ()


def test_the_list_of_packages_is_the_same_for_the_same_packages() -> None:
    parts = [Component(kind="deb", name="bash", version="1:5+b1", where="?arch=amd64"), OWN]
    first, second = (sbom.document(OWN, order, created="2026-01-01T00:00:00Z") for order in (parts, parts[::-1]))
    assert first == second
    assert parts[0].purl == "pkg:deb/debian/bash@1:5%2Bb1?arch=amd64"


def test_where_no_cell_runs_node_and_openclaw_are_not_missed(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    (finding.openclaw_slot(around) / "node_modules" / "openclaw" / "openclaw.mjs").unlink()
    elsewhere = replace(around, gateways=False)
    assert not locate(elsewhere).openclaw.exists()
    assert {check.name: check.ok for check in examine(elsewhere).checks}["OpenClaw"]
    assert not {check.name: check.ok for check in examine(around).checks}["OpenClaw"]
