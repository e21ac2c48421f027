"""What the set-up and the doctor say of the test cluster on machines that have it, lack it, or may not get it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from clawstack.errors import NeedsAttentionError
from tests.unit.toolchain.trees import machine, tool
from toolchain.cluster import builds, packages
from toolchain.cluster.images import image_references, image_store, images_folder
from toolchain.cluster.pins import CLUSTER_BUILDS, KUBERNETES_BUILD, Build
from toolchain.doctor import Check, examine
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.parts import ON_DEMAND, OPTIONAL, PARTS
from toolchain.tasks.board import Board


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return machine(tmp_path, path=(tmp_path / "bin",), is_root=True)


def verdict(around: Surroundings) -> Check:
    return next(check for check in examine(around).checks if check.name == "Test cluster")


def test_the_doctor_says_what_is_missing_and_the_command_but_holds_it_against_nobody(around: Surroundings) -> None:
    check = verdict(around)
    assert check.ok
    assert "kubernetes 1.34.4" in check.found
    assert f"{around.interpreter} -m toolchain setup cluster" in check.detail


def test_the_doctor_names_the_version_when_all_is_there(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.doctor.missing_node_packages", lambda _: ())
    for build in CLUSTER_BUILDS:
        build.folder(around).mkdir(parents=True)
    assert verdict(around).found == "Kubernetes 1.34.4"


def test_a_package_is_found_on_path_and_where_path_may_leave_it_out(tmp_path: Path, around: Surroundings) -> None:
    package = packages.NodePackage(package="p", files=("clawstack-made-up",), purpose="tests")
    assert package.find(around) is None
    with pytest.raises(NeedsAttentionError, match="p is missing; it tests"):
        package.require(around)
    made = tool(tmp_path / "bin" / "clawstack-made-up")
    assert package.find(around) == made
    elsewhere = replace(package, files=("/nonexistent/x", str(made)))
    assert elsewhere.find(replace(around, path=())) == made


def test_an_account_that_may_not_install_gets_every_package_its_purpose_and_one_command(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = (packages.ETCD, packages.CONTAINERD)
    monkeypatch.setattr(packages, "missing_node_packages", lambda _: missing)
    with pytest.raises(NeedsAttentionError) as refused:
        packages.ensure(replace(around, root=False), Board(Console(quiet=True)))
    assert "etcd-server stores what the API server knows" in refused.value.message
    assert "containerd runs the pods' containers" in refused.value.message
    assert refused.value.remedy is not None
    assert "sudo apt-get install --no-install-recommends etcd-server containerd" in refused.value.remedy


@pytest.mark.parametrize(
    ("downloads", "reason"),
    [(Downloads.NEVER, "CLAWSTACK_TOOLCHAIN_DOWNLOADS=never"), (Downloads.REGISTRIES, "there is no `go` on PATH")],
)
def test_a_build_that_cannot_be_is_refused_with_the_way_out(
    around: Surroundings, downloads: Downloads, reason: str
) -> None:
    with pytest.raises(NeedsAttentionError, match=reason) as refused:
        builds.ensure_build(replace(around, downloads=downloads), Board(Console(quiet=True)), KUBERNETES_BUILD)
    assert "CLAWSTACK_KUBECONFIG" in (refused.value.remedy or "")


def test_a_program_of_another_version_is_not_kept(tmp_path: Path, around: Surroundings) -> None:
    tool(tmp_path / "bin" / "go", "")
    fake = replace(KUBERNETES_BUILD, proof=("/bin/echo", "v9.9.9"))
    with pytest.raises(NeedsAttentionError, match=r"answers 'v9\.9\.9' instead of its version 1\.34\.4"):
        builds.ensure_build(replace(around, downloads=Downloads.ALL), Board(Console(quiet=True)), fake)
    assert not fake.folder(around).exists()


def test_other_pins_give_another_folder(around: Surroundings) -> None:
    folders = {build.folder(around) for build in CLUSTER_BUILDS}
    assert len(folders) == len(CLUSTER_BUILDS)
    assert Build(name="pause", version="2", packages=(".",)).folder(around) not in folders


def test_the_references_are_those_that_were_written(around: Surroundings) -> None:
    images_folder(around).mkdir(parents=True)
    (images_folder(around) / "images.json").write_text(json.dumps({"openclaw": "x@sha256:0"}))
    assert image_references(around) == {"openclaw": "x@sha256:0"}
    assert image_store(around).parent == images_folder(around)


def test_what_takes_minutes_is_only_got_when_it_is_named() -> None:
    assert {"cluster", "kwok"} <= ON_DEMAND
    assert set(PARTS) >= ON_DEMAND | OPTIONAL
