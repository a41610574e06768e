"""The vLLM plugin: the engine's work, timed without editing a handler. Off unless `FIRSTBYTE=1`.

vLLM loads it (entry point `vllm.general_plugins`) in every process, some of them more than once.

- In the API process the control methods of `AsyncLLM` get `rpc.start` and `rpc.done`, with the trace id of
  the control call that they serve. That reaches every framework, also those that call them from Ray.
- In the engine's process a call gets `[engine] call.done`: `engine_queue_ms` from the thread that received it
  to the busy loop beginning with it, which is mostly the running step, and `engine_exec_ms` from there to its
  result. `call_id` is vLLM's own id of the call, and is on `rpc.done` too, with commas between several. What
  remains of `rpc_ms` is the way there and back.

The call is stamped where it is received because both moments are then of one process, whatever host the API
server is on, and vLLM's messages stay as they are: a stamp in the message would fail an engine without this
plugin, and the moment in vLLM's ids, which are UUIDs, is of the wall clock.

Only versions that are known are touched, and only if everything is where it is expected. Nothing of ours
raises into vLLM.
"""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from functools import wraps
from importlib import import_module, metadata
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from . import _firstbyte, _logging
from ._rpc import current_call, current_id, error_name

if TYPE_CHECKING:
    from collections.abc import Callable

#: Versions whose insides are known, by their beginning.
KNOWN = ("0.32.",)

#: Without these it is not the class that we know.
_REQUIRED = ("collective_rpc", "pause_generation", "resume_generation", "sleep", "wake_up")
#: The other control methods of `AsyncLLM`; absent ones are left out. Not `abort`, which streams call too.
# fmt: off
_OTHERS = (
    "add_lora", "compute_weight_checksums", "finish_weight_update", "get_weight_version",
    "init_weight_transfer_engine", "is_paused", "is_sleeping", "release_kv_cache_memory", "remove_lora",
    "reset_encoder_cache", "reset_mm_cache", "reset_prefix_cache", "scale_elastic_ep",
    "shutdown_weight_transfer_engine", "start_draft_weight_update", "start_profile", "start_weight_update",
    "stop_profile", "update_weight_version", "update_weights",
)
# fmt: on
#: What the route table calls a method of `AsyncLLM` or of the engine, where that is not its own name.
_OPERATIONS = {
    "add_lora": "load_lora_adapter",
    "compute_weight_checksums": "weight_checker",
    "get_weight_version": "weight_info",
    "is_scheduler_paused": "is_paused",
    "pause_generation": "pause",
    "pause_scheduler": "pause",
    "remove_lora": "unload_lora_adapter",
    "resume_generation": "resume",
    "resume_scheduler": "resume",
    "set_weight_version": "update_weight_version",
}


def register() -> None:
    """Called by vLLM. Never raises."""
    if os.environ.get("FIRSTBYTE") != "1":
        return
    try:
        _register()
    except Exception as error:
        _say_inactive(f"{type(error).__name__}: {error}")


def _say_inactive(why: str) -> None:
    logging.getLogger("firstbyte").warning("firstbyte: not active in process %s: %s", os.getpid(), why)


def _register() -> None:
    version = metadata.version("vllm")
    if not version.startswith(KNOWN):
        known = " or ".join(f"{beginning}x" for beginning in KNOWN)
        _say_inactive(f"vLLM {version} is not known, only {known}")
        return
    api = import_module("vllm.v1.engine.async_llm").AsyncLLM
    client = import_module("vllm.v1.engine.core_client").AsyncMPClient
    core = import_module("vllm.v1.engine.core")
    engine, utility = core.EngineCoreProc, core.EngineCoreRequestType.UTILITY
    if hasattr(engine, "_firstbyte"):
        return
    needed = [(client, "_send_input_message"), (engine, "process_input_sockets")]
    needed += [(engine, "_invoke_utility_method")]
    missing = [f"{owner.__name__}.{name}" for owner, name in needed if not hasattr(owner, name)]
    missing += [f"AsyncLLM.{name}" for name in _REQUIRED if not iscoroutinefunction(getattr(api, name, None))]
    if missing:
        _say_inactive(f"vLLM {version} has no {', '.join(missing)}")
        return

    for name in [*_REQUIRED, *_OTHERS]:
        if iscoroutinefunction(method := getattr(api, name, None)):
            setattr(api, name, _timed(method, name))
    client._send_input_message = _noting(client._send_input_message, utility.value)
    engine.process_input_sockets = _receiving(engine.process_input_sockets, utility)
    engine._invoke_utility_method = staticmethod(_executing(engine._invoke_utility_method))
    engine._firstbyte = True
    # By our own logger, which is heard everywhere: vLLM's is not set up yet in the API process.
    _logging.emit(f"firstbyte: active in process {os.getpid()} of vLLM {version}")


# -- the API process ----------------------------------------------------------------------------------


class _Running:
    """A control method that runs: its timer, and the ids of the calls that it has sent to engines."""

    def __init__(self, name: str) -> None:
        call = current_call.get()
        operation = _OPERATIONS.get(name, name)
        if call is not None and name == "collective_rpc":
            # The way of frameworks to do anything at all: their route's name says more.
            operation = call.operation
        self.sent: list[str] = []
        timer = _firstbyte.RpcTimer(operation, call, current_id.get())
        self.timer: _firstbyte.RpcTimer | None = timer
        self._token = _running.set(self)

    def done(self, error: BaseException | None) -> None:
        timer, self.timer = self.timer, None
        try:
            if timer is not None:
                timer.done(error_name(error), ",".join(self.sent) or None)
            _running.reset(self._token)
        except Exception:
            # Closed from another context than it ran in, if anything.
            pass


#: Set, and with a timer, within a control method: those that it calls itself are part of it. Tasks that
#: began in it, such as vLLM's own for output, keep it beyond its end, but then without a timer.
_running: ContextVar[_Running | None] = ContextVar("firstbyte.vllm", default=None)


def _timed(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A control method with `rpc.start` and `rpc.done`."""

    @wraps(method)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        running = _start(name)
        if running is None:
            return await method(*args, **kwargs)
        error: BaseException | None = None
        try:
            return await method(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            running.done(error)
            # A traceback holds this frame, and must not be held by it.
            del error

    return timed


def _start(name: str) -> _Running | None:
    try:
        outer = _running.get()
        return _Running(name) if outer is None or outer.timer is None else None
    except Exception:
        return None


def _noting(send: Callable[..., Any], utility: bytes) -> Callable[..., Any]:
    """vLLM makes an id, files its future under it and comes by here, with no `await` in between."""

    @wraps(send)
    def noting(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            running = _running.get()
            if running is not None and running.timer is not None and message[0] == utility:
                running.sent.append(f"{next(reversed(self.utility_results)):016x}")
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
        try:
            put = self.input_queue.put_nowait

            def put_nowait(item: Any) -> None:
                try:
                    if item[0] is utility and len(_received) < _MOST:
                        _received[item[1][1]] = _firstbyte.now_ns()
                except Exception:
                    # A message of another shape: how long it waits is not known.
                    pass
                put(item)

            self.input_queue.put_nowait = put_nowait
        except Exception as error:
            _say_inactive(f"{type(error).__name__}: {error}")
        return process(self, *args, **kwargs)

    return receiving


class _Enqueue:
    """Hands a result on, and says how long it took: at once, or when a deferred one is there."""

    def __init__(self, enqueue: Callable[[Any], None], name: str, call_id: int) -> None:
        self._begun_ns = _firstbyte.now_ns()
        received_ns = _received.pop(call_id, None)
        self._queue_ms = None if received_ns is None else (self._begun_ns - received_ns) / 1e6
        self._enqueue = enqueue
        self._operation = _OPERATIONS.get(name, name)

    def __call__(self, output: Any) -> None:
        ended_ns = _firstbyte.now_ns()
        # First: the answer does not wait for the line.
        self._enqueue(output)
        try:
            fields = {
                "call_id": f"{output.call_id:016x}",
                "op": self._operation,
                "engine_queue_ms": self._queue_ms,
                "engine_exec_ms": (ended_ns - self._begun_ns) / 1e6,
                "error": "failed" if output.failure_message else None,
            }
            _firstbyte.record("engine", "call.done", fields)
        except Exception:
            pass


def _executing(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The busy loop begins with a call. It comes by here once more when a deferred result is there."""

    @wraps(invoke)
    def executing(name: str, get_result: Any, output: Any, enqueue: Any) -> Any:
        try:
            if not isinstance(enqueue, _Enqueue):
                enqueue = _Enqueue(enqueue, name, output.call_id)
        except Exception:
            pass
        return invoke(name, get_result, output, enqueue)

    return executing
