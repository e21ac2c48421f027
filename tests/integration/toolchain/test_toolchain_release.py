"""The official release is taken only as it was published. A server on this machine stands in for Pulumi's site."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clawstack.errors import PermanentError, TemporaryError
from toolchain.steps.release import fetch_cli, reachable

VERSION = "3.272.0"
ARCHIVE = f"pulumi-v{VERSION}-linux-x64.tar.gz"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    files = tmp_path / "site" / "releases" / "sdk"
    files.mkdir(parents=True)
    (tmp_path / "site" / "latest-version").write_text(VERSION)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_release_with_its_published_sum_is_unpacked(site: tuple[str, Path], tmp_path: Path) -> None:
    url, files = site
    content = _publish(files, {"pulumi/pulumi": b"cli", "pulumi/pulumi-language-python": b"host", "README": b"x"})
    (files / f"pulumi-{VERSION}-checksums.txt").write_text(
        f"{'0' * 64}  pulumi-v{VERSION}-linux-arm64.tar.gz\n{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n"
    )
    assert reachable(url)
    fetch_cli(VERSION, "x86_64", tmp_path / "bin", site=url)
    assert {file.name for file in (tmp_path / "bin").iterdir()} == {"pulumi", "pulumi-language-python"}
    assert (tmp_path / "bin" / "pulumi").stat().st_mode & 0o111


def test_another_archive_than_the_published_one_is_never_unpacked(site: tuple[str, Path], tmp_path: Path) -> None:
    url, files = site
    _publish(files, {"pulumi/pulumi": b"evil"})
    (files / f"pulumi-{VERSION}-checksums.txt").write_text(f"{'0' * 64}  {ARCHIVE}\n")
    with pytest.raises(PermanentError, match="was not unpacked"):
        fetch_cli(VERSION, "x86_64", tmp_path / "bin", site=url)
    assert not (tmp_path / "bin").exists()


def test_a_sum_list_without_the_archive_is_no_proof(site: tuple[str, Path], tmp_path: Path) -> None:
    url, files = site
    _publish(files, {"pulumi/pulumi": b"cli"})
    (files / f"pulumi-{VERSION}-checksums.txt").write_text(f"{'0' * 64}  other.tar.gz\n")
    with pytest.raises(TemporaryError, match="does not name"):
        fetch_cli(VERSION, "x86_64", tmp_path / "bin", site=url)


def test_an_archive_cannot_write_outside_its_folder(site: tuple[str, Path], tmp_path: Path) -> None:
    url, files = site
    content = _publish(files, {"pulumi/../../escaped": b"evil"})
    (files / f"pulumi-{VERSION}-checksums.txt").write_text(f"{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n")
    with pytest.raises(tarfile.TarError):
        fetch_cli(VERSION, "x86_64", tmp_path / "a" / "bin", site=url)
    assert not list(tmp_path.rglob("escaped"))


def test_a_site_that_refuses_or_lacks_the_release_is_no_reason_to_give_up(
    site: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = site
    with pytest.raises(TemporaryError, match="was not served"):
        fetch_cli(VERSION, "x86_64", tmp_path / "bin", site=url)
    with pytest.raises(TemporaryError, match="sparc"):
        fetch_cli(VERSION, "sparc", tmp_path / "bin", site=url)
    assert not reachable("http://127.0.0.1:1")


def _publish(files: Path, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o755
            bundle.addfile(info, io.BytesIO(content))
    (files / ARCHIVE).write_bytes(buffer.getvalue())
    return buffer.getvalue()
