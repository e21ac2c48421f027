"""Runs an inline program for the engine, and leaves nothing behind when the engine is killed under it.

The stock server of the Automation API forgets its event loop with two sockets when the CLI dies in the middle, and turns
the whole process's asyncio log off. This one owns the loop; otherwise it does the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.errors import RunError
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2, language_pb2_grpc
from pulumi.runtime.settings import SETTINGS, get_monitor
from typing_extensions import override

from clawstack.logs import get_logger
from services.cells.engine.secrecy import OverheardMonitor, RunSecrets

log = get_logger(__name__)

Program = Callable[[], None]

_SERVER_THREADS: Final = 4
_THREADS_PER_STEP: Final = 4
"""As in the stock server: registrations block a thread each."""
_END_SECONDS: Final = 10.0


class InlineProgram(LanguageServer):
    """The engine's language runtime for one run of one program."""

    def __init__(self, program: Program, *, secrets: RunSecrets | None = None) -> None:
        """`secrets`: takes note of every secret input that the program registers."""
        super().__init__(program)
        self._secrets = secrets or RunSecrets()
        self.raised: BaseException | None = None
        """What the program itself raised."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = threading.Event()
        self._idle.set()

    @override
    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        """Run the program to its end; what goes wrong is in the answer."""
        self._idle.clear()
        try:
            # A context of its own: the SDK keeps the run's settings in context variables.
            return contextvars.copy_context().run(self._run, request)
        finally:
            self._idle.set()

    def end(self, seconds: float) -> bool:
        """End a run whose engine is gone: it waits for answers that will never come. True once none is under way."""
        loop = self._loop
        if not self._idle.is_set() and loop is not None:
            with suppress(RuntimeError):  # closed in this moment
                loop.call_soon_threadsafe(loop.stop)
        return self._idle.wait(seconds)

    def _run(self, request: language_pb2.RunRequest) -> language_pb2.RunResponse:
        reset_options(
            project=request.project,
            monitor_address=request.monitor_address,
            engine_address=request.args[0] if request.args else "",
            stack=request.stack,
            parallel=request.parallel,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        SETTINGS.monitor = OverheardMonitor(get_monitor(), self._secrets)
        if request.config:
            set_all_config(dict(request.config), list(request.configSecretKeys))
        try:
            self._run_to_end(request.parallel)
        except RunError as error:
            return language_pb2.RunResponse(error=str(error))
        except grpc.RpcError as error:
            return _after_rpc_error(error)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the engine must hear of it
            return language_pb2.RunResponse(error=f"{type(error).__name__}: {error}")
        return language_pb2.RunResponse()

    def _run_to_end(self, parallel: int) -> None:
        stopped: list[BaseException] = []

        def unobserved(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
            # A registration failed: the outputs that wait for it never come, so the run ends here (as in the SDK).
            error = context.get("exception")
            if isinstance(error, grpc.RpcError) and not stopped:
                stopped.append(error)
                loop.stop()

        with asyncio.Runner() as runner:
            self._loop = loop = runner.get_loop()
            loop.set_exception_handler(unobserved)
            threads = max(parallel, 1) * _THREADS_PER_STEP
            loop.set_default_executor(ThreadPoolExecutor(max_workers=threads, thread_name_prefix="inline"))
            try:
                runner.run(run_in_stack(self._watched))
            except RuntimeError as error:
                if not loop.is_running() and "stopped before Future completed" in str(error):
                    raise (stopped or [_EngineGoneError()])[0] from error
                raise
            finally:
                stopped.append(_EngineGoneError())  # tasks that are cancelled now must not stop the loop again

    def _watched(self) -> None:
        try:
            self.program()
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def serving(program: InlineProgram) -> Iterator[str]:
    """Serve `program` to the engine; gives the address. On leaving, its run is over."""
    server = grpc.server(ThreadPoolExecutor(max_workers=_SERVER_THREADS), options=_GRPC_CHANNEL_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(program, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)
        if not program.end(_END_SECONDS):
            log.warning("inline_program_still_runs")  # it blocks in code of ours; the engine it spoke to is dead


class _EngineGoneError(grpc.RpcError):
    """The engine ended before the program did."""

    @override
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    @override
    def details(self) -> str:
        return "the engine is gone"


def _after_rpc_error(error: Any) -> language_pb2.RunResponse:
    # The monitor goes away first when the engine stops, and it has said why: that is not the program's fault.
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return language_pb2.RunResponse()
    return language_pb2.RunResponse(error=f"RPC error: {error.details()}")
