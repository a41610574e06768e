"""The lines of the other roles."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time

import pytest

import firstbyte


def test_a_checkpoint_is_written_and_waited_for(trace):
    with firstbyte.ckpt_write(7, path="/ckpt/step 7") as write:
        time.sleep(0.02)
        write.bytes = 12
    with firstbyte.ckpt_wait(8):
        pass
    start, done, wait_start, wait_done = trace.lines()
    assert (start.tag, start.name, start.fields) == ("ckpt", "write.start", {"step": "7"})
    assert list(done.fields) == ["step", "write_ms", "bytes", "path"]
    assert 20 <= done.ms("write_ms") < 500
    assert write.dur_ms == pytest.approx(done.ms("write_ms"), abs=0.051)
    assert done["path"] == "/ckpt/step%207"
    assert wait_start.fields == {"target_step": "8"}
    assert list(wait_done.fields) == ["target_step", "wait_ms"]


def test_batches_have_rates_only_where_tokens_are_known(trace):
    async def generate():
        async with firstbyte.gen_batch(inflight=150, target_batch=512) as batch:
            await asyncio.sleep(0.05)
            batch.completions, batch.inflight = 512, 3
        async with firstbyte.gen_batch(inflight=1, target_batch=1) as batch:
            await asyncio.sleep(0.05)
            batch.completions, batch.output_tokens = 1, 100

    asyncio.run(generate())
    _, unknown, _, known = trace.lines()
    assert unknown.name == "batch.done"
    assert list(unknown.fields) == ["completions", "dur_ms", "inflight"]
    assert unknown["inflight"] == "3"
    assert known.ms("output_tps") == pytest.approx(100 / (known.ms("dur_ms") / 1e3), rel=0.01)
    assert "input_tps" not in known


def test_a_queue_is_flushed(trace):
    firstbyte.batch_flush(8, 12.34, reason="time out", depth=3)
    firstbyte.batch_flush(8, "x")
    line, odd = trace.lines()
    assert (line.tag, line.name) == ("queue", "batch.flush")
    assert line.fields == {"size": "8", "wait_ms": "12.3", "reason": "time%20out", "depth": "3"}
    assert "wait_ms" not in odd


def test_an_engines_call_has_the_id_of_its_timer(trace):
    with firstbyte.trace(), firstbyte.rpc("sleep") as timer:
        timer.call_id = "c 7"
        firstbyte.engine_call("c 7", "sleep", queue_ms=1.25, exec_ms=30)
    with firstbyte.trace(), firstbyte.rpc("sleep") as timer:
        timer.call_id = Unspeakable()
    _, call, done, _, unknown = trace.lines()
    assert (call.tag, call.name, call["op"], call["call_id"]) == ("engine", "call.done", "sleep", "c%207")
    assert (call.ms("engine_queue_ms"), call.ms("engine_exec_ms")) == (1.3, 30.0)
    assert done["call_id"] == "c%207"
    assert "call_id" not in unknown


class Unspeakable:
    def __str__(self):
        raise ValueError("nothing to say")


def test_steps_rollouts_and_inference(trace):
    with firstbyte.step(3) as step:
        step.wait_ms, step.ref_logprobs_cached = 12.34, True
    firstbyte.rollout(trunc_pct=1.25, current_step=9, ckpt_step=7, buffer_depth=4)
    with firstbyte.infer_batch(prompts=16) as batch:
        batch.input_tokens, batch.output_tokens = 100, 200
        time.sleep(0.01)
    done, rollout, infer = trace.lines()
    assert done.fields | {"dur_ms": ""} == {
        "step": "3",
        "dur_ms": "",
        "wait_ms": "12.3",
        "ref_logprobs_cached": "1",
    }
    assert rollout.name is None
    assert rollout.fields == {
        "trunc_pct": "1.2",
        "current_step": "9",
        "ckpt_step": "7",
        "staleness": "2",
        "buffer_depth": "4",
    }
    assert list(infer.fields) == [
        "prompts",
        "dur_ms",
        "input_tokens",
        "output_tokens",
        "input_tps",
        "output_tps",
    ]


def test_an_exception_ends_a_timer_and_goes_on(trace):
    with pytest.raises(KeyError), firstbyte.ckpt_wait(1):
        raise KeyError
    assert trace.only("wait.done")["target_step"] == "1"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, asyncio.CancelledError])
def test_a_checkpoint_that_failed_is_not_written(trace, error):
    write = firstbyte.ckpt_write(1)
    with pytest.raises(error), write:
        raise error
    assert [line.name for line in trace.lines()] == ["write.start"]
    assert write.dur_ms is None
    with write:
        pass
    assert [line.name for line in trace.lines()] == ["write.start", "write.start", "write.done"]


def test_what_nobody_has_said_of_a_batch_is_unknown(trace):
    with contextlib.suppress(KeyError), firstbyte.gen_batch(8, 16), firstbyte.infer_batch(prompts=8):
        raise KeyError
    _, infer, gen = trace.lines()
    assert list(infer.fields) == ["prompts", "dur_ms"]
    assert list(gen.fields) == ["dur_ms", "inflight"]


def test_timers_carry_the_id_that_their_code_works_for(trace):
    with firstbyte.trace() as trace_id:
        assert firstbyte.current_trace_id() == trace_id
        with firstbyte.ckpt_wait(1):
            pass
    assert {line.trace_id for line in trace.lines()} == {trace_id}
    assert firstbyte.current_trace_id() is None


def test_a_value_of_another_type_is_left_out(trace):
    with firstbyte.step("seven"):  # type: ignore[arg-type]
        pass
    done = trace.only("step.done")
    assert "step" not in done
    assert "dur_ms" in done


def test_a_path_that_cannot_say_what_it_is_is_left_out(trace):
    class Mute:
        def __str__(self):
            raise RuntimeError

    with firstbyte.ckpt_write(1, path=Mute()):
        pass
    assert "path" not in trace.only("write.done")


def test_values_that_are_none_are_left_out_and_never_raise(trace):
    batch = firstbyte.gen_batch(1, 2)
    batch.input_tokens, batch.output_tokens = "7", 10**400
    with pytest.raises(KeyError), batch:
        raise KeyError
    with firstbyte.infer_batch("many") as infer:
        infer.input_tokens = None
    with firstbyte.step(None) as step:
        step.ref_logprobs_cached = "yes"
    firstbyte.rollout(trunc_pct="x", current_step=None, ckpt_step=3)
    assert len(trace.lines()) == 5


def test_a_duration_that_was_measured_elsewhere(trace):
    firstbyte.ckpt_write(7).record(812.4)
    batch = firstbyte.gen_batch(10, 20)
    batch.completions = 20
    batch.record(2000.0)
    assert trace.only("write.done")["write_ms"] == "812.4"
    done = trace.only("batch.done")
    assert (done["completions"], done["dur_ms"]) == ("20", "2000.0")


@pytest.mark.parametrize("wrong", ["req-17", "", "0" * 16, 17, "\udc80", "00f067aa0ba902b7x"])
def test_an_id_that_is_none_is_refused_where_it_is_given(wrong):
    with pytest.raises(firstbyte.ConfigError), firstbyte.trace(wrong):
        pass


def test_an_operation_has_a_name(trace):
    for wrong in (5, None):
        with pytest.raises(TypeError):
            firstbyte.rpc(wrong)
    with firstbyte.rpc("a\udc80"):
        pass
    assert trace.only("rpc.done")["op"] == "a?"


def test_one_rpc_timer_within_itself_has_two_ends(trace):
    timer = firstbyte.rpc("pause")
    with timer, timer:
        pass
    assert [line.name for line in trace.lines()] == ["rpc.start", "rpc.start", "rpc.done", "rpc.done"]


def test_one_timer_within_itself_has_two_durations(trace):
    timer = firstbyte.ckpt_wait(7)
    with timer:
        time.sleep(0.05)
        with timer:
            pass
        inner = timer.dur_ms
    assert inner < 45 < 50 <= timer.dur_ms
    assert [line.name for line in trace.lines()] == ["wait.start", "wait.start", "wait.done", "wait.done"]


def test_a_timer_that_was_not_entered_has_no_end(trace):
    timer = firstbyte.step(7)
    timer.__exit__(None, None, None)
    assert timer.dur_ms is None
    assert trace.lines() == []


def test_an_rpc_timer_that_is_dropped_has_an_end(trace):
    firstbyte.rpc("pause").__enter__()
    gc.collect()
    assert trace.only("rpc.done")["error"] == "dropped"


def test_trace_is_for_async_with_and_for_functions_too(trace):
    assert asyncio.iscoroutinefunction(traced_coroutine)
    plain, again = traced_function(), traced_function()
    assert plain != again
    with firstbyte.trace() as outer:
        inner = asyncio.run(traced_coroutine())
        assert inner not in (None, outer)
        assert firstbyte.current_trace_id() == outer

    async def main():
        async with firstbyte.trace("00f067aa0ba902b7") as trace_id:
            await asyncio.sleep(0)
            assert firstbyte.current_trace_id() == trace_id == "00f067aa0ba902b7"
        assert firstbyte.current_trace_id() is None

    asyncio.run(main())


def test_one_trace_in_two_tasks_at_once_does_not_fail_them():
    shared = firstbyte.trace()

    async def task(pause):
        async with shared as trace_id:
            await asyncio.sleep(pause)
            return firstbyte.current_trace_id() == trace_id

    async def main():
        return await asyncio.gather(task(0.01), task(0.02))

    assert asyncio.run(main()) == [True, True]


@firstbyte.trace()
def traced_function():
    return firstbyte.current_trace_id()


@firstbyte.trace()
async def traced_coroutine():
    await asyncio.sleep(0)
    return firstbyte.current_trace_id()


def test_one_trace_within_itself_is_left_in_order():
    with firstbyte.trace("00f067aa0ba902b7") as outer, firstbyte.trace():
        twice = firstbyte.trace()
        with twice as first:
            with twice as second:
                assert firstbyte.current_trace_id() == second != first
            assert firstbyte.current_trace_id() == first
        assert firstbyte.current_trace_id() not in (first, second, outer)
