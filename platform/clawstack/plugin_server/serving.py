"""The gRPC server of a plugin, as the Pulumi engine expects one: print the port, serve, go quietly.

How the engine ends a plugin (source: `sdk/go/common/util/cmdutil/term.go`): SIGINT to its process group, then SIGKILL
a moment later. A person's Ctrl-C arrives as the same SIGINT. So on SIGINT and SIGTERM no new call is accepted, calls
in flight get a short time to finish (a resource that was created must be reported, else it is lost), and the process
ends with code 0 and without a word. A plugin whose engine was killed ends by itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

import grpc

from clawstack.plugin_server.failures import SentenceInterceptor

_MESSAGE_LIMIT: Final = 400 * 1024 * 1024
"""Bytes; the same as in the engine (`rpcutil.GrpcChannelOptions`): states and policy runs may be large."""
_PARENT_CHECK: Final = 1.0
"""Seconds between two looks at whether the engine still lives."""

Register = Callable[[Any, grpc.Server], None]


def serve(
    servicer: object,
    *,
    register: Register | None = None,
    threads: int = 16,
    grace: float = 10.0,
    on_stop: Callable[[], None] | None = None,
) -> NoReturn:
    """Serves until the engine goes away or says stop, then ends the process with code 0.

    Must run in the main thread of a plugin's own process. The port is announced on stdout once calls are accepted,
    and nothing else may be written there. `register` is the generated `add_..._to_server` of the service
    (default: ResourceProvider); `threads` bounds the calls served at once; `grace` is how many seconds calls
    in flight may take to finish after a signal; `on_stop` is called before that wait, to end what the calls started.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()
    server, port = start(servicer, register=register, threads=threads)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.wait(_PARENT_CHECK) and os.getppid() == parent:
        pass
    ended = server.stop(grace)
    if on_stop is not None:
        on_stop()
    ended.wait(grace)
    sys.stderr.flush()
    # Interpreter shutdown would wait for threads of calls that outlived their grace.
    os._exit(0)


def start(servicer: object, *, register: Register | None = None, threads: int = 16) -> tuple[grpc.Server, int]:
    """A running server for the servicer on a free loopback port, and that port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=threads),
        interceptors=[SentenceInterceptor()],
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
            ("grpc.max_send_message_length", _MESSAGE_LIMIT),
            ("grpc.so_reuseport", 0),
        ],
    )
    (register or _register_provider)(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _register_provider(servicer: Any, server: grpc.Server) -> None:
    from pulumi.runtime.proto import provider_pb2_grpc  # a language host never needs it

    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
