"""When the vLLM plugin acts and when it leaves everything alone; a real vLLM is `make test-vllm`'s."""

from __future__ import annotations

import asyncio
import enum
import queue
import sys
import types
from importlib import metadata

import pytest

import firstbyte
from firstbyte import vllm as plugin


class Type(enum.Enum):
    ADD = b"\x00"
    UTILITY = b"\x03"


def engine_modules():
    """The outlines of the classes that the plugin knows, with the ways that calls take through them."""

    class AsyncLLM:
        async def collective_rpc(self, method):
            await asyncio.sleep(0.01)
            return method

        async def pause_generation(self):
            return await self.collective_rpc("pause")

        async def resume_generation(self):
            raise ValueError("not paused")

    class AsyncMPClient:
        def _send_input_message(self, message, engine):
            return message

    class EngineCoreProc:
        def __init__(self):
            self.input_queue = queue.Queue()

        def process_input_sockets(self, requests):
            for request in requests:
                self.input_queue.put_nowait(request)

        @staticmethod
        def _invoke_utility_method(name, get_result, output, enqueue):
            output.result = get_result()
            enqueue(output)

    def module(**members):
        made = types.ModuleType("outline")
        vars(made).update(members)
        return made

    return {
        "vllm.v1.engine.async_llm": module(AsyncLLM=AsyncLLM),
        "vllm.v1.engine.core_client": module(AsyncMPClient=AsyncMPClient),
        "vllm.v1.engine.core": module(EngineCoreProc=EngineCoreProc, EngineCoreRequestType=Type),
        "msgspec": module(msgpack=types.SimpleNamespace(Decoder=Decoder)),
    }


class Decoder:
    def decode(self, frame):
        return frame


@pytest.fixture
def modules(monkeypatch):
    modules = engine_modules()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(metadata, "version", lambda name: "0.32.0+cpu")
    monkeypatch.setenv("FIRSTBYTE", "1")
    return modules


def llm(modules):
    return modules["vllm.v1.engine.async_llm"].AsyncLLM


def is_active(modules) -> bool:
    return hasattr(modules["vllm.v1.engine.core"].EngineCoreProc, "_firstbyte")


@pytest.mark.parametrize("value", [None, "0", ""])
def test_it_is_off_unless_it_is_asked_for(modules, monkeypatch, value):
    monkeypatch.delenv("FIRSTBYTE") if value is None else monkeypatch.setenv("FIRSTBYTE", value)
    plugin.register()
    assert not is_active(modules)


@pytest.mark.parametrize("version", ["0.31.9", "0.33.0", "1.0"])
def test_an_unknown_version_is_left_alone(modules, monkeypatch, caplog, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    plugin.register()
    assert not is_active(modules)
    assert version in caplog.text


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        ("vllm.v1.engine.async_llm", "AsyncLLM", "collective_rpc"),
        ("vllm.v1.engine.core_client", "AsyncMPClient", "_send_input_message"),
        ("vllm.v1.engine.core", "EngineCoreProc", "process_input_sockets"),
        ("vllm.v1.engine.core", "EngineCoreProc", "_invoke_utility_method"),
    ],
)
def test_a_class_without_a_part_that_is_known_is_left_alone(modules, caplog, module, owner, name):
    delattr(getattr(modules[module], owner), name)
    before = dict(vars(llm(modules)))
    plugin.register()
    assert not is_active(modules)
    assert dict(vars(llm(modules))) == before
    assert name in caplog.text


def test_a_failure_of_ours_is_not_vllms(modules, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "vllm.v1.engine.core", None)
    plugin.register()
    assert "not active" in caplog.text


def test_it_acts_once_however_often_it_is_loaded(modules, trace):
    plugin.register()
    first = llm(modules).collective_rpc
    plugin.register()
    assert llm(modules).collective_rpc is first


def test_a_control_method_is_timed_and_what_it_calls_is_part_of_it(modules, trace):
    plugin.register()
    with firstbyte.trace() as trace_id:
        assert asyncio.run(llm(modules)().pause_generation()) == "pause"
    start, done = trace.lines()
    assert {start.trace_id, done.trace_id} == {trace_id}
    assert (start.name, done.name, done["op"]) == ("rpc.start", "rpc.done", "pause")
    assert done.ms("rpc_ms") >= 10


def test_an_error_goes_on_and_is_on_the_line(modules, trace):
    plugin.register()
    with pytest.raises(ValueError, match="not paused"):
        asyncio.run(llm(modules)().resume_generation())
    assert trace.only("rpc.done")["error"] == "ValueError"


def test_a_cancelled_call_ends_once(modules, trace):
    plugin.register()

    async def cancelled():
        task = asyncio.create_task(llm(modules)().collective_rpc("x"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert trace.only("rpc.done")["error"] == "cancelled"


def test_the_engines_half_is_joined_by_the_id_of_the_call(modules, trace):
    plugin.register()
    client = modules["vllm.v1.engine.core_client"].AsyncMPClient()
    engine = modules["vllm.v1.engine.core"].EngineCoreProc()
    call_id = 0x1234

    async def collective_rpc(self, method):
        client._send_input_message((b"\x03", (0, call_id, method, ())), "engine")

    timed = plugin._timed(collective_rpc, "collective_rpc")
    asyncio.run(timed(None, "check_health"))
    engine.process_input_sockets([(Type.ADD, "request"), (Type.UTILITY, (0, call_id, "check_health", ()))])
    assert engine.input_queue.qsize() == 2
    output = types.SimpleNamespace(call_id=call_id, failure_message=None, result=None)
    enqueued: list[object] = []
    engine._invoke_utility_method("check_health", lambda: "fine", output, enqueued.append)
    assert enqueued == [output]
    assert output.result == "fine"
    rpc, call = trace.only("rpc.done"), trace.only("call.done")
    assert rpc["call_id"] == call["call_id"] == f"{call_id:016x}"
    assert call["op"] == "check_health"
    assert call.ms("engine_queue_ms") >= 0
    assert call.ms("engine_exec_ms") >= 0
    assert not plugin._received
