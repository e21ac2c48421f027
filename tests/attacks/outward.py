"""Tries to reach addresses from inside a cell. Reads `[[kind, address, port], ...]`, prints `{"kind address port": outcome}`.

Kinds: tcp, udp, mptcp, dns (a question to a name server), raw, packet, vsock, smc (sockets that filters by IP never see), name
(a look-up as programs make it), escalate (through a set-user-id program). Outcomes: "reached", or the error's name.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable

SECONDS = 2.0
QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"


def tcp(address: str, port: int, protocol: int = 0) -> None:
    """A connection, and one that is given up at once: its packets must not outlive the account's name on them."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, protocol) as connection:
        connection.settimeout(SECONDS)
        connection.connect((address, port))


def mptcp(address: str, port: int) -> None:
    """TCP over several paths, which the kernel opens itself."""
    tcp(address, port, 262)


def udp(address: str, port: int) -> None:
    """A datagram that somebody must answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as speaker:
        speaker.settimeout(SECONDS)
        speaker.sendto(QUESTION, (address, port))
        speaker.recv(512)


def name(host: str, port: int) -> None:
    """Whatever the C library asks: files, name servers, daemons behind sockets."""
    if not socket.getaddrinfo(host, port):
        raise OSError(errno.ENOENT, "no address")


def family(number: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> Callable[[str, int], None]:
    """Whether a socket of this family can be had at all."""

    def attempt(_address: str, _port: int) -> None:
        socket.socket(number, kind, protocol).close()

    return attempt


def escalate(program: str, _port: int) -> None:
    """Whether a set-user-id program (`id`, for the test) becomes its owner."""
    told = subprocess.run([program, "-u"], capture_output=True, text=True, timeout=SECONDS, check=True)
    if int(told.stdout) == os.getuid():
        raise PermissionError(errno.EPERM, "still myself")


KINDS: dict[str, Callable[[str, int], None]] = {
    "tcp": tcp,
    "mptcp": mptcp,
    "udp": udp,
    "name": name,
    "raw": family(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packet": family(17, socket.SOCK_RAW),
    "vsock": family(40),
    "smc": family(43),
    "escalate": escalate,
}


def outcome(kind: str, address: str, port: int) -> str:
    """What came of one attempt."""
    try:
        KINDS[kind](address, port)
    except socket.gaierror as error:
        return str(error)
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "reached"


def main() -> None:
    """Attempts from the first argument; from none, what is seen of this machine's shared folders."""
    attempts = json.loads(sys.argv[1])
    found = {f"{kind} {address} {port}": outcome(kind, address, port) for kind, address, port in attempts}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
