"""The vLLM plugin beside a stand-in for vLLM. With the real one: `make test-vllm`."""

from __future__ import annotations

import asyncio
import enum
import importlib.metadata
import itertools
import logging
import queue
import sys
import threading
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace

import pytest

import firstbyte
import firstbyte.vllm as plugin
from firstbyte import FirstByteMiddleware

WRAPPED = [
    ("AsyncLLM", "collective_rpc"),
    ("AsyncLLM", "pause_generation"),
    ("AsyncLLM", "resume_generation"),
    ("AsyncLLM", "sleep"),
    ("AsyncLLM", "wake_up"),
    ("AsyncLLM", "update_weights"),
    ("AsyncMPClient", "_send_input_message"),
    ("EngineCoreProc", "process_input_sockets"),
    ("EngineCoreProc", "_invoke_utility_method"),
]


class RequestType(enum.Enum):
    ADD = b"\x00"
    UTILITY = b"\x03"


def make_vllm() -> SimpleNamespace:
    """What the plugin knows of vLLM 0.32, with new classes for each test."""

    class AsyncMPClient:
        def __init__(self) -> None:
            self.utility_results = {}
            self.ids = itertools.count(0x8C5B6B0E81F11F1)
            self.sent = []

        def _send_input_message(self, message, engine):
            self.sent.append(message)
            return asyncio.sleep(0)

        async def call_utility_async(self, method, *args):
            call_id = next(self.ids)
            self.utility_results[call_id] = None
            await self._send_input_message((RequestType.UTILITY.value, b"..."), b"engine")
            self.utility_results.pop(call_id)
            return method

    class AsyncLLM:
        def __init__(self) -> None:
            self.engine_core = AsyncMPClient()

        async def collective_rpc(self, method, timeout=None, args=(), kwargs=None):
            """As documented there."""
            return await self.engine_core.call_utility_async("collective_rpc", method, timeout, args, kwargs)

        async def pause_generation(self, *, mode="abort"):
            await self.collective_rpc("clear")
            return await self.engine_core.call_utility_async("pause_scheduler", mode)

        async def resume_generation(self):
            raise KeyError("a secret")

        async def sleep(self, level=1):
            await asyncio.sleep(3600)

        async def wake_up(self):
            # A request of another kind is no call of ours.
            await self.engine_core._send_input_message((RequestType.ADD.value, b"..."), b"engine")

        async def update_weights(self, request):
            return await self.collective_rpc("update_weights")

        async def abort(self, request_id):
            return await self.engine_core.call_utility_async("abort")

    class EngineCoreProc:
        def __init__(self, *items) -> None:
            self.input_queue = queue.Queue()
            self.output_queue = queue.Queue()
            self.items = items

        def process_input_sockets(self, addresses):
            for item in self.items:
                self.input_queue.put_nowait(item)
            return addresses

        def run(self, method) -> None:
            """The busy loop's way with what is in the queue."""
            while not self.input_queue.empty():
                kind, request = self.input_queue.get_nowait()
                if kind is RequestType.UTILITY:
                    output = SimpleNamespace(call_id=request[1], failure_message=None, result=None)
                    self._invoke_utility_method(request[2], method, output, self.output_queue.put_nowait)

        @staticmethod
        def _invoke_utility_method(name, get_result, output, enqueue_output):
            try:
                result = get_result()
                if isinstance(result, Future):
                    result.add_done_callback(
                        lambda future: EngineCoreProc._invoke_utility_method(
                            name, future.result, output, enqueue_output
                        )
                    )
                    return
                output.result = result
            except Exception as error:
                output.failure_message = str(error)
            enqueue_output(output)

    return SimpleNamespace(**{c.__name__: c for c in (AsyncLLM, AsyncMPClient, EngineCoreProc)})


@pytest.fixture
def vllm(monkeypatch):
    fake = make_vllm()
    monkeypatch.setenv("FIRSTBYTE", "1")
    fake.version = "0.32.0+cpu"
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"vllm": fake.version}[name])
    for name, content in {
        "vllm": {},
        "vllm.v1": {},
        "vllm.v1.engine": {"EngineCoreRequestType": RequestType},
        "vllm.v1.engine.async_llm": {"AsyncLLM": fake.AsyncLLM},
        "vllm.v1.engine.core_client": {"AsyncMPClient": fake.AsyncMPClient},
        "vllm.v1.engine.core": {
            "EngineCoreProc": fake.EngineCoreProc,
            "EngineCoreRequestType": RequestType,
        },
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    fake.before = functions(fake)
    return fake


def functions(vllm) -> list:
    return [vars(getattr(vllm, owner)).get(name) for owner, name in WRAPPED]


def is_untouched(vllm) -> bool:
    return all(now is before for now, before in zip(functions(vllm), vllm.before, strict=True))


def utility(name: str, call_id: int = 7) -> tuple:
    return (RequestType.UTILITY, (0, call_id, name, ()))


# -- whether it does anything at all ------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "0", "true"])
def test_it_is_off_unless_asked_for(vllm, monkeypatch, caplog, value):
    if value is None:
        monkeypatch.delenv("FIRSTBYTE")
    else:
        monkeypatch.setenv("FIRSTBYTE", value)
    plugin.register()
    assert is_untouched(vllm)
    assert not caplog.records


@pytest.mark.parametrize("version", ["0.31.9", "0.33.0", "0.3.2", "0.320.1", "1.0.32.0", "dev"])
def test_an_unknown_version_is_left_alone(vllm, caplog, version):
    vllm.version = version
    plugin.register()
    assert is_untouched(vllm)
    (record,) = caplog.records
    assert record.name == "firstbyte"
    assert version in record.getMessage()
    assert "0.32.x" in record.getMessage()


def test_no_vllm_at_all(vllm, monkeypatch, caplog):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: 1 / 0)
    plugin.register()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("owner", "name"), [pair for pair in WRAPPED if pair[1] != "update_weights"])
def test_something_is_missing(vllm, caplog, owner, name):
    delattr(getattr(vllm, owner), name)
    vllm.before = functions(vllm)
    plugin.register()
    assert is_untouched(vllm)
    (record,) = caplog.records
    assert f"{owner}.{name}" in record.getMessage()


def test_a_class_is_missing(vllm, caplog):
    del sys.modules["vllm.v1.engine.core"].EngineCoreProc
    plugin.register()
    assert is_untouched(vllm)
    assert len(caplog.records) == 1


def test_a_method_is_of_another_kind(vllm, caplog):
    vllm.AsyncLLM.sleep = lambda self: None
    vllm.before = functions(vllm)
    plugin.register()
    assert is_untouched(vllm)
    assert "AsyncLLM.sleep" in caplog.text


def test_what_not_every_version_has_may_be_missing(vllm):
    del vllm.AsyncLLM.update_weights
    plugin.register()
    assert not is_untouched(vllm)
    assert not hasattr(vllm.AsyncLLM, "update_weights")


def test_doing_it_twice_changes_nothing(vllm, caplog):
    with caplog.at_level(logging.INFO, logger="firstbyte"):
        plugin.register()
        once = functions(vllm)
        assert not any(now is before for now, before in zip(once, vllm.before, strict=True))
        plugin.register()
    assert functions(vllm) == once
    (record,) = caplog.records
    assert record.name == "firstbyte"
    assert "active" in record.getMessage()


def test_methods_look_as_before(vllm):
    plugin.register()
    method = vllm.AsyncLLM.collective_rpc
    assert asyncio.iscoroutinefunction(method)
    assert (method.__name__, method.__doc__) == ("collective_rpc", "As documented there.")


# -- the API process ----------------------------------------------------------------------------------


def control_call(path: str, handler) -> None:
    """A request through the middleware to an application that does `await handler()`."""

    async def app(scope, receive, send):
        await handler()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"headers": [(b"x-trace-id", b"00f067aa0ba902b7")], "query_string": b"", "client": None}
    asyncio.run(FirstByteMiddleware(app)(scope, receive, send))


def test_a_control_call_has_a_timer_with_its_id(trace, vllm):
    plugin.register()
    control_call("/pause", lambda: vllm.AsyncLLM().pause_generation(mode="keep"))
    done = trace.only("rpc.done")
    assert (done.tag, done.trace_id) == ("weights", "00f067aa0ba902b7")
    assert [line.name for line in trace.lines()][:3] == ["server.recv", "rpc.start", "rpc.done"]


def test_what_a_control_method_calls_itself_is_part_of_it(trace, vllm):
    plugin.register()
    assert asyncio.run(vllm.AsyncLLM().pause_generation()) == "pause_scheduler"
    assert trace.only("rpc.start")["op"] == "pause"
    done = trace.only("rpc.done")
    assert done["op"] == "pause"
    # Both of its calls of the engine.
    assert done["call_id"] == "08c5b6b0e81f11f1,08c5b6b0e81f11f2"


def test_without_a_route_the_method_names_the_operation(trace, vllm):
    plugin.register()
    with firstbyte.trace("a47ac10b58cc4372"):
        asyncio.run(vllm.AsyncLLM().collective_rpc("load"))
        asyncio.run(vllm.AsyncLLM().update_weights(None))
    assert [line["op"] for line in trace.named("rpc.done")] == ["collective_rpc", "update_weights"]
    assert {line.trace_id for line in trace.lines()} == {"a47ac10b58cc4372"}


def test_a_route_names_the_collective_rpc_behind_it(trace, vllm):
    plugin.register()
    control_call("/load_lora_adapter", lambda: vllm.AsyncLLM().collective_rpc("frameworks_own"))
    assert trace.only("rpc.done")["op"] == "load_lora_adapter"


def test_one_after_the_other_and_beside_each_other(trace, vllm):
    plugin.register()
    llm = vllm.AsyncLLM()

    async def calls():
        await llm.collective_rpc("a")
        await asyncio.gather(llm.collective_rpc("b"), llm.collective_rpc("c"))

    asyncio.run(calls())
    ids = [line["call_id"] for line in trace.named("rpc.done")]
    assert sorted(ids) == ["08c5b6b0e81f11f1", "08c5b6b0e81f11f2", "08c5b6b0e81f11f3"]


def test_a_task_that_began_in_a_call_and_outlives_it_has_timers_of_its_own(trace, vllm):
    plugin.register()
    llm, tasks = vllm.AsyncLLM(), []

    async def later():
        await asyncio.sleep(0.02)
        await llm.collective_rpc("later")

    class Client(vllm.AsyncMPClient):
        async def call_utility_async(self, method, *args):
            # As vLLM begins its output task.
            tasks.append(asyncio.create_task(later())) if not tasks else None
            return await super().call_utility_async(method, *args)

    llm.engine_core = Client()

    async def calls():
        await llm.collective_rpc("now")
        await tasks[0]

    asyncio.run(calls())
    assert len(trace.named("rpc.done")) == 2
    assert all("," not in line["call_id"] for line in trace.named("rpc.done"))


def test_requests_of_other_kinds_are_not_named(trace, vllm):
    plugin.register()
    asyncio.run(vllm.AsyncLLM().wake_up())
    assert "call_id" not in trace.only("rpc.done")


def test_what_is_no_control_method_is_let_through(trace, vllm):
    plugin.register()
    assert asyncio.run(vllm.AsyncLLM().abort("a request")) == "abort"
    assert not trace.lines()


def test_an_exception_goes_on_as_it_is(trace, vllm):
    plugin.register()
    with pytest.raises(KeyError, match="a secret") as caught:
        asyncio.run(vllm.AsyncLLM().resume_generation())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert trace.only("rpc.done")["error"] == "KeyError"


def test_a_cancelled_call_has_one_end(trace, vllm):
    plugin.register()

    async def cancelled():
        task = asyncio.create_task(vllm.AsyncLLM().sleep())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert trace.only("rpc.done")["error"] == "cancelled"


class Broken:
    """Stands for a part of ours that fails whatever it is asked."""

    def __init__(self, *args) -> None:
        raise RuntimeError("ours")


class BrokenAtTheEnd:
    def __init__(self, *args) -> None:
        pass

    def done(self, *args) -> None:
        raise RuntimeError("ours")


@pytest.mark.parametrize("timer", [Broken, BrokenAtTheEnd])
def test_a_failure_of_ours_does_not_reach_vllm(vllm, monkeypatch, timer):
    plugin.register()
    monkeypatch.setattr("firstbyte._firstbyte.RpcTimer", timer)
    llm = vllm.AsyncLLM()
    assert asyncio.run(llm.collective_rpc("x")) == "collective_rpc"
    assert len(llm.engine_core.sent) == 1
    with pytest.raises(KeyError):
        asyncio.run(llm.resume_generation())


def test_an_id_that_cannot_be_found_is_unknown(trace, vllm):
    plugin.register()
    llm = vllm.AsyncLLM()

    class Client(vllm.AsyncMPClient):
        async def call_utility_async(self, method, *args):
            await self._send_input_message((RequestType.UTILITY.value, b"..."), b"engine")

    llm.engine_core = Client()
    asyncio.run(llm.collective_rpc("x"))
    assert len(llm.engine_core.sent) == 1
    assert "call_id" not in trace.only("rpc.done")


# -- the engine's process -----------------------------------------------------------------------------


def start(engine) -> None:
    thread = threading.Thread(target=engine.process_input_sockets, args=("addresses",))
    thread.start()
    thread.join()


def test_waiting_and_working_are_told_apart(trace, vllm):
    plugin.register()
    engine = vllm.EngineCoreProc(utility("collective_rpc", 0x8C5B6B0E81F11F1))
    start(engine)
    threading.Event().wait(0.06)
    engine.run(lambda: threading.Event().wait(0.03))
    assert engine.output_queue.get_nowait().failure_message is None
    done = trace.only("call.done")
    assert (done.tag, done.trace_id) == ("engine", None)
    assert list(done.fields) == ["call_id", "op", "t", "engine_queue_ms", "engine_exec_ms"]
    assert (done["call_id"], done["op"]) == ("08c5b6b0e81f11f1", "collective_rpc")
    assert 60 <= done.ms("engine_queue_ms") < 500
    assert 30 <= done.ms("engine_exec_ms") < 500


@pytest.mark.parametrize(
    ("name", "operation"),
    [("pause_scheduler", "pause"), ("resume_scheduler", "resume"), ("add_lora", "load_lora_adapter")],
)
def test_the_engine_names_operations_as_routes_do(trace, vllm, name, operation):
    plugin.register()
    engine = vllm.EngineCoreProc(utility(name))
    start(engine)
    engine.run(lambda: None)
    assert trace.only("call.done")["op"] == operation


def test_a_deferred_result_ends_once_when_it_is_there(trace, vllm):
    plugin.register()
    engine, future = vllm.EngineCoreProc(utility("pause_scheduler")), Future()
    start(engine)
    engine.run(lambda: future)
    assert engine.output_queue.empty()
    assert not trace.lines()
    threading.Event().wait(0.03)
    future.set_result(None)
    assert engine.output_queue.qsize() == 1
    assert trace.only("call.done").ms("engine_exec_ms") >= 30


@pytest.mark.parametrize("is_deferred", [False, True])
def test_a_call_that_fails_says_so(trace, vllm, is_deferred):
    plugin.register()
    engine, future = vllm.EngineCoreProc(utility("collective_rpc")), Future()
    future.set_exception(ValueError("a secret"))
    start(engine)
    engine.run((lambda: future) if is_deferred else (lambda: 1 / 0))
    message = engine.output_queue.get_nowait().failure_message
    assert message == ("a secret" if is_deferred else "division by zero")
    assert trace.only("call.done")["error"] == "failed"


def test_without_a_stamp_the_queue_is_unknown(trace, vllm):
    plugin.register()
    engine = vllm.EngineCoreProc()
    engine.input_queue.put(utility("sleep"))
    engine.run(lambda: None)
    done = trace.only("call.done")
    assert "engine_queue_ms" not in done
    assert "engine_exec_ms" in done


def test_the_answer_does_not_wait_for_the_line(vllm, monkeypatch):
    plugin.register()
    engine = vllm.EngineCoreProc(utility("collective_rpc"), (RequestType.ADD, "a request"))
    answered = []

    def record(*args):
        answered.append(engine.output_queue.qsize())
        raise RuntimeError("ours")

    monkeypatch.setattr("firstbyte._firstbyte.record", record)
    start(engine)
    engine.run(lambda: None)
    assert answered == [1]
    assert not plugin._received


def test_an_input_thread_without_a_queue_runs_as_before(vllm, caplog):
    plugin.register()
    engine = vllm.EngineCoreProc()
    del engine.input_queue
    assert engine.process_input_sockets("addresses") == "addresses"
    assert "input_queue" in caplog.text


@pytest.mark.parametrize("item", [None, 7, (), (RequestType.UTILITY,), (RequestType.UTILITY, 7), object()])
def test_a_message_of_another_shape_reaches_the_busy_loop(vllm, item):
    plugin.register()
    engine = vllm.EngineCoreProc(item, utility("sleep"))
    start(engine)
    assert engine.input_queue.get_nowait() is item
    assert engine.input_queue.get_nowait()[0] is RequestType.UTILITY
    plugin._received.clear()
