"""The parts of a machine that a test cannot have: systemd, LUKS, file systems, packet filter. `stubs.py PROGRAM ARGUMENT...`

Everything is kept below $CLAWSTACK_ROOT/stub, one machine per root. The disk lies elsewhere ($STUB_DISK): it outlives
machines. What was asked is written down, so that tests can read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(os.environ["CLAWSTACK_ROOT"])
DISK = Path(os.environ["STUB_DISK"])
STUB = ROOT / "stub"
MAPPED = ROOT / "dev" / "mapper" / "clawstack"
PLACES = ("/opt/clawstack", "/var/lib/clawstack", "/run/clawstack", "/etc/clawstack", "/usr/local/lib/clawstack")


def main() -> int:
    program, *arguments = sys.argv[1:]
    STUB.mkdir(parents=True, exist_ok=True)
    with (STUB / "asked.log").open("a") as log:
        log.write(json.dumps([program, *arguments]) + "\n")
    stub: Callable[[list[str]], int] = globals()[program.replace(".", "_")]
    return stub(arguments)


def say(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")


def id(arguments: list[str]) -> int:  # noqa: A001 - named after the program
    if arguments[-1] != "claw" or not (STUB / "account").exists():
        return 1
    say(os.getuid() if arguments[0] == "-u" else os.getgid())
    return 0


def useradd(arguments: list[str]) -> int:
    (STUB / "account").write_text(shlex.join(arguments))
    return 0


# --- disk: {"key": sha256 or absent, "fs": bool} beside the folder that is its content


def cryptsetup(arguments: list[str]) -> int:
    disk = _disk()
    if arguments[0] == "isLuks":
        return 0 if "key" in disk else 1
    if arguments[0] == "close":
        MAPPED.unlink()
        return 0
    key = hashlib.sha256(sys.stdin.buffer.read()).hexdigest()
    if arguments[0] == "luksFormat":
        _write_disk({"key": key})
        return 0
    if disk.get("key") != key:
        sys.stderr.write("No key available with this passphrase.")
        return 2
    MAPPED.parent.mkdir(parents=True, exist_ok=True)
    MAPPED.touch()
    return 0


def blkid(arguments: list[str]) -> int:
    disk = _disk()
    return 0 if (disk.get("fs") if arguments[-1] == str(MAPPED) else disk) else 2


def mkfs_ext4(arguments: list[str]) -> int:
    (DISK / "content").mkdir()
    _write_disk({**_disk(), "fs": True})
    return 0


def resize2fs(arguments: list[str]) -> int:
    return 0


def mountpoint(arguments: list[str]) -> int:
    return 0 if Path(arguments[-1]).is_symlink() else 32


def mount(arguments: list[str]) -> int:
    place = Path(arguments[-1])
    place.rmdir()
    place.symlink_to(DISK / "content")
    return 0


def umount(arguments: list[str]) -> int:
    place = Path(arguments[-1])
    place.unlink()
    place.mkdir()
    return 0


def sync(arguments: list[str]) -> int:
    return 0


def nft(arguments: list[str]) -> int:
    table = STUB / "wall.nft"
    match arguments:
        case ["delete", *_]:
            table.unlink(missing_ok=True)
        case ["list", *_]:
            return 0 if table.exists() else 1
        case ["-f", "-"]:
            (STUB / "sets.nft").write_text(sys.stdin.read())
        case ["-f", file]:
            table.write_text(Path(file).read_text())
        case _:
            return 1
    return 0


# --- systemd


def systemctl(arguments: list[str]) -> int:
    verb, unit = arguments[0], next((name for name in arguments[1:] if not name.startswith("-")), "")
    if verb in {"stop", "restart"} or (verb == "disable" and "--now" in arguments):
        _stop(unit)
    if verb == "kill" and (pid := _pid(unit)):
        os.killpg(pid, signal.Signals[f"SIG{arguments[1].removeprefix('--signal=')}"])
        while _pid(unit):
            time.sleep(0.02)
        return _start(unit) if "\nRestart=on-failure\n" in _unit(unit) else 0
    if verb in {"start", "restart"}:
        return _start(unit)
    if verb == "show":
        pid = _pid(unit)
        status = (STUB / f"{unit}.exit").read_text().strip() if (STUB / f"{unit}.exit").exists() else ""
        state = "active" if pid else "failed" if status not in {"", "0"} else "inactive"
        say(f"ActiveState={state}\nExecMainStatus={status}\nNRestarts=0\nMemoryCurrent=123456789")
        say(f"ExecMainStartTimestamp=@{int(time.time())}")
    return 0


def _start(unit: str) -> int:
    fields: dict[str, str] = {}
    for line in _unit(unit).splitlines():
        name, _, value = line.partition("=")
        fields[name] = value
    environment = dict(os.environ)
    if "EnvironmentFile" in fields:
        for line in _here(Path(_here(fields["EnvironmentFile"])).read_text()).splitlines():
            name, _, value = line.partition("=")
            environment[name] = value.strip('"')
        environment["PATH"] = os.environ["PATH"]
    if "ExecStartPre" in fields:
        subprocess.run(["sh", "-c", _here(fields["ExecStartPre"])], check=True, env=environment)
    command = _here(fields["ExecStart"]).replace("/usr/sbin/nft", "nft")
    if fields["Type"] == "oneshot":
        return subprocess.run(["sh", "-c", command], check=False, env=environment).returncode
    log = (
        _here(fields["StandardOutput"].removeprefix("append:")) if "StandardOutput" in fields else STUB / f"{unit}.log"
    )
    ending = STUB / f"{unit}.exit"
    ending.unlink(missing_ok=True)
    with Path(log).open("ab") as out:
        process = subprocess.Popen(
            ["sh", "-c", f"{command}; echo $? > {shlex.quote(str(ending))}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (STUB / f"{unit}.pid").write_text(str(process.pid))
    return 0


def _unit(unit: str) -> str:
    return (ROOT / "etc/systemd/system" / unit).read_text()


def _stop(unit: str) -> None:
    pid = _pid(unit)
    while pid and _pid(unit):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        time.sleep(0.02)
    (STUB / f"{unit}.pid").unlink(missing_ok=True)
    (STUB / f"{unit}.exit").unlink(missing_ok=True)


def _pid(unit: str) -> int:
    try:
        pid = int((STUB / f"{unit}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


def _here(text: str) -> str:
    for place in PLACES:
        text = text.replace(place, f"{ROOT}{place}")
    return text


def _disk() -> dict[str, object]:
    file = DISK / "header.json"
    found: dict[str, object] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _write_disk(header: dict[str, object]) -> None:
    (DISK / "header.json").write_text(json.dumps(header))


if __name__ == "__main__":
    sys.exit(main())
