"""The vLLM plugin: the engine's work, timed without editing a handler. Off unless `FIRSTBYTE=1`.

vLLM loads it (entry point `vllm.general_plugins`) in every process, some of them more than once.

- In the API process the control methods of `AsyncLLM` get `rpc.start` and `rpc.done`, with the trace id of
  the control call that they serve. That reaches every framework, also those that call them from Ray.
- In the engine's process a call gets `[engine] call.done`: `engine_queue_ms` from the thread that received it
  to the busy loop beginning with it, which is mostly the running step, and `engine_exec_ms` from there to its
  result. Both moments are the monotonic clock of one process. `call_id` is vLLM's own id of the call, and is
  on `rpc.done` too. What remains of `rpc_ms` is the way there and back.

Only versions that are known are touched, and only if everything is where it is expected. Nothing of ours
raises into vLLM.
"""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from functools import wraps
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from . import _firstbyte
from ._rpc import current_call, current_id, error_name

if TYPE_CHECKING:
    from collections.abc import Callable

#: Versions whose insides are known, by their beginning.
KNOWN = ("0.32.",)

#: Control methods of `AsyncLLM`, and what they are called where no route says it. Absent ones are left out.
OPERATIONS = {
    "add_lora": "load_lora_adapter",
    "collective_rpc": "collective_rpc",
    "finish_weight_update": "finish_weight_update",
    "init_weight_transfer_engine": "init_weight_transfer_engine",
    "is_paused": "is_paused",
    "pause_generation": "pause",
    "release_kv_cache_memory": "release_kv_cache_memory",
    "remove_lora": "unload_lora_adapter",
    "reset_prefix_cache": "reset_prefix_cache",
    "resume_generation": "resume",
    "shutdown_weight_transfer_engine": "shutdown_weight_transfer_engine",
    "sleep": "sleep",
    "start_draft_weight_update": "start_draft_weight_update",
    "start_weight_update": "start_weight_update",
    "update_weight_version": "update_weight_version",
    "update_weights": "update_weights",
    "wake_up": "wake_up",
}
#: Without these it is not the class that we know.
_REQUIRED = ("collective_rpc", "pause_generation", "resume_generation")

# A child of vLLM's logger: others have no handler there.
_logger = logging.getLogger("vllm.firstbyte")


def register() -> None:
    """Called by vLLM. Never raises."""
    if os.environ.get("FIRSTBYTE") != "1":
        return
    try:
        _register()
    except Exception as error:
        _logger.warning("firstbyte: not active: %s: %s", type(error).__name__, error)


def _register() -> None:
    version = metadata.version("vllm")
    if not version.startswith(KNOWN):
        known = " or ".join(f"{beginning}x" for beginning in KNOWN)
        _logger.warning("firstbyte: not active: vLLM %s is not known, only %s", version, known)
        return
    api = import_module("vllm.v1.engine.async_llm").AsyncLLM
    client = import_module("vllm.v1.engine.core_client").AsyncMPClient
    core = import_module("vllm.v1.engine.core")
    engine, utility = core.EngineCoreProc, core.EngineCoreRequestType.UTILITY
    if hasattr(engine, "_firstbyte"):
        return
    needed = [(api, name) for name in _REQUIRED]
    needed += [(client, "_send_input_message"), (engine, "process_input_sockets")]
    needed += [(engine, "_invoke_utility_method")]
    missing = [f"{owner.__name__}.{name}" for owner, name in needed if not hasattr(owner, name)]
    if missing:
        _logger.warning("firstbyte: not active: vLLM %s has no %s", version, ", ".join(missing))
        return

    for name, operation in OPERATIONS.items():
        if name in vars(api):
            setattr(api, name, _timed(vars(api)[name], operation))
    client._send_input_message = _noting(client._send_input_message)
    engine.process_input_sockets = _receiving(engine.process_input_sockets, utility)
    engine._invoke_utility_method = staticmethod(_executing(engine._invoke_utility_method))
    engine._firstbyte = True
    _logger.info("firstbyte: active in process %s of vLLM %s", os.getpid(), version)


# -- the API process ----------------------------------------------------------------------------------

#: The ids of the calls that the running control method has sent to engines; `None` outside of one.
_sent: ContextVar[list[str] | None] = ContextVar("firstbyte.vllm", default=None)


def _timed(method: Callable[..., Any], operation: str) -> Callable[..., Any]:
    """A control method with `rpc.start` and `rpc.done`; those that it calls itself are part of it."""

    @wraps(method)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        timer = _start(operation) if _sent.get() is None else None
        if timer is None:
            return await method(*args, **kwargs)
        sent: list[str] = []
        token = _sent.set(sent)
        error: BaseException | None = None
        try:
            return await method(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            timer.done(error_name(type(error) if error else None), ",".join(sent) or None)
            try:
                _sent.reset(token)
            except ValueError:
                # Closed from another context than it ran in.
                pass

    return timed


def _start(operation: str) -> _firstbyte.RpcTimer | None:
    try:
        call = current_call.get()
        # A route's name says more: update_weights may be a collective_rpc.
        return _firstbyte.RpcTimer(call.operation if call else operation, call, current_id.get())
    except Exception:
        return None


def _noting(send: Callable[..., Any]) -> Callable[..., Any]:
    """Reads the id of a call off the message, which is where it first is outside of vLLM's own variables."""
    import msgspec

    decode = msgspec.msgpack.Decoder().decode

    @wraps(send)
    def noting(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        sent = _sent.get()
        if sent is not None:
            try:
                # (type, (client index, call id, method, arguments), further buffers ...)
                sent.append(f"{decode(message[1])[1]:016x}")
            except Exception:
                pass
        return send(self, message, *args, **kwargs)

    return noting


# -- the engine's process -----------------------------------------------------------------------------

#: When a call came in, by its id. Calls are few, and taken out when they begin; an engine that never begins
#: any of so many has other troubles.
_received: dict[int, int] = {}
_MOST = 10_000


def _receiving(process: Callable[..., Any], utility: Any) -> Callable[..., Any]:
    """The thread that receives: notes when a call is put into the queue of the busy loop."""

    @wraps(process)
    def receiving(self: Any, *args: Any, **kwargs: Any) -> Any:
        queue = self.input_queue
        put = queue.put_nowait

        def put_nowait(item: Any) -> None:
            try:
                if item[0] == utility and len(_received) < _MOST:
                    _received[item[1][1]] = _firstbyte.now_ns()
            except Exception:
                pass
            put(item)

        queue.put_nowait = put_nowait
        return process(self, *args, **kwargs)

    return receiving


class _Enqueue:
    """Hands a result on, and says how long it took: at once, or when a deferred one is there."""

    def __init__(self, enqueue: Callable[[Any], None], operation: str) -> None:
        self._enqueue = enqueue
        self._operation = operation
        self._begun_ns = _firstbyte.now_ns()

    def __call__(self, output: Any) -> None:
        try:
            self._record(output)
        except Exception:
            pass
        self._enqueue(output)

    def _record(self, output: Any) -> None:
        received_ns = _received.pop(output.call_id, None)
        queue_ms = None if received_ns is None else (self._begun_ns - received_ns) / 1e6
        fields = {
            "call_id": f"{output.call_id:016x}",
            "op": self._operation,
            "engine_queue_ms": queue_ms,
            "engine_exec_ms": (_firstbyte.now_ns() - self._begun_ns) / 1e6,
            "error": "failed" if output.failure_message else None,
        }
        _firstbyte.record("engine", "call.done", fields)


def _executing(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The busy loop begins with a call. It comes by here once more when a deferred result is there."""

    @wraps(invoke)
    def executing(name: str, get_result: Any, output: Any, enqueue: Any) -> Any:
        if not isinstance(enqueue, _Enqueue):
            enqueue = _Enqueue(enqueue, name)
        return invoke(name, get_result, output, enqueue)

    return executing
