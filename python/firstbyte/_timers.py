"""Lines of the other roles: trainer, orchestrator, generation, inference batches.

Each timer is a context manager for `with` and `async with`; what is known at the end is set on it. It
writes its last line also when an exception ends it, but for a checkpoint, which is not written then. What has
no end of its own, such as `rollout`, is a plain function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _firstbyte
from ._context import AsyncToo
from ._rpc import current_trace_id, word

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self


def _known(value: Callable[[], Any]) -> Any:
    """A value that is worked out, or `None` where what was set on a timer is no number."""
    try:
        return value()
    except Exception:
        return None


def _rate(count: int | None, ms: float) -> float | None:
    return None if count is None or ms <= 0 else _known(lambda: count / (ms / 1e3))


class _Timer(AsyncToo):
    """From `begin` to `end`, on the monotonic clock.

    One object times things one after the other, or one within the other. For what overlaps make one for each.
    """

    __slots__ = ("_started_ns", "dur_ms")

    #: Whether its last line is true of something that failed, too.
    _may_fail = True

    def __init__(self) -> None:
        #: One for each time that it was entered and not left yet.
        self._started_ns: list[int] = []
        #: Milliseconds from start to end, once it has ended.
        self.dur_ms: float | None = None

    def _begin(self) -> None:
        """Write the first line, if there is one."""

    def _end(self, dur_ms: float) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._begin()
        self._started_ns.append(_firstbyte.now_ns())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._started_ns:
            started_ns = self._started_ns.pop()
            if error is None or self._may_fail:
                self.record((_firstbyte.now_ns() - started_ns) / 1e6)

    def record(self, dur_ms: float) -> None:
        """Write the last line for something that was timed elsewhere, instead of using it as a context."""
        self.dur_ms = dur_ms
        self._end(dur_ms)


def _record(tag: str, name: str | None, **fields: Any) -> None:
    _firstbyte.record(tag, name, fields, current_trace_id())


class ckpt_write(_Timer):  # noqa: N801 - used like a function
    """The trainer writes a checkpoint: `[ckpt] write.start`, and `write.done` unless that raises.

    Set `bytes` and `path` where they are known.
    """

    __slots__ = ("bytes", "path", "step")

    _may_fail = False

    def __init__(self, step: int, *, path: object = None) -> None:
        super().__init__()
        self.step = step
        self.path = path
        self.bytes: int | None = None

    def _begin(self) -> None:
        _record("ckpt", "write.start", step=self.step)

    def _end(self, dur_ms: float) -> None:
        path = word(self.path)
        _record("ckpt", "write.done", step=self.step, write_ms=dur_ms, bytes=self.bytes, path=path)


class ckpt_wait(_Timer):  # noqa: N801
    """The orchestrator waits for a checkpoint: `[ckpt] wait.start`, `wait.done`."""

    __slots__ = ("target_step",)

    def __init__(self, target_step: int) -> None:
        super().__init__()
        self.target_step = target_step

    def _begin(self) -> None:
        _record("ckpt", "wait.start", target_step=self.target_step)

    def _end(self, dur_ms: float) -> None:
        _record("ckpt", "wait.done", target_step=self.target_step, wait_ms=dur_ms)


class gen_batch(_Timer):  # noqa: N801
    """A generation batch of the orchestrator: `[gen] batch.start`, `batch.done`.

    Set `completions`, and where they are known `inflight`, `input_tokens` and `output_tokens`.
    """

    __slots__ = ("completions", "inflight", "input_tokens", "output_tokens", "target_batch")

    def __init__(self, inflight: int, target_batch: int) -> None:
        super().__init__()
        self.inflight = inflight
        self.target_batch = target_batch
        self.completions: int | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None

    def _begin(self) -> None:
        _record("gen", "batch.start", inflight=self.inflight, target_batch=self.target_batch)

    def _end(self, dur_ms: float) -> None:
        _record(
            "gen",
            "batch.done",
            completions=self.completions,
            dur_ms=dur_ms,
            inflight=self.inflight,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            input_tps=_rate(self.input_tokens, dur_ms),
            output_tps=_rate(self.output_tokens, dur_ms),
        )


class step(_Timer):  # noqa: N801
    """A training step: `[step] step.done`.

    Set `wait_ms`, what the step waited for data, and `ref_logprobs_cached` where they are known.
    """

    __slots__ = ("ref_logprobs_cached", "step", "wait_ms")

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step
        self.wait_ms: float | None = None
        self.ref_logprobs_cached: bool | None = None

    def _end(self, dur_ms: float) -> None:
        cached = self.ref_logprobs_cached
        _record(
            "step",
            "step.done",
            step=self.step,
            dur_ms=dur_ms,
            wait_ms=self.wait_ms,
            ref_logprobs_cached=None if cached is None else _known(lambda: int(bool(cached))),
        )


class infer_batch(_Timer):  # noqa: N801
    """An inference batch: `[infer] batch.done`. Set `input_tokens` and `output_tokens`."""

    __slots__ = ("input_tokens", "output_tokens", "prompts")

    def __init__(self, prompts: int) -> None:
        super().__init__()
        self.prompts = prompts
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None

    def _end(self, dur_ms: float) -> None:
        _record(
            "infer",
            "batch.done",
            prompts=self.prompts,
            dur_ms=dur_ms,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            input_tps=_rate(self.input_tokens, dur_ms),
            output_tps=_rate(self.output_tokens, dur_ms),
        )


def batch_flush(size: int, wait_ms: float, *, reason: str | None = None, depth: int | None = None) -> None:
    """A queue that collects requests into batches handed one on: `[queue] batch.flush`.

    `wait_ms` is how long its first request has waited, `reason` is a word such as `full` or `timeout`, and
    `depth` is how many requests are left in the queue.
    """
    _record("queue", "batch.flush", size=size, wait_ms=wait_ms, reason=word(reason), depth=depth)


def engine_call(
    call_id: str, operation: str, *, queue_ms: float, exec_ms: float, error: str | None = None
) -> None:
    """The engine's process has finished a call: `[engine] call.done`. The vLLM plugin does it by itself.

    It splits the `rpc_ms` of the `rpc` timer whose `call_id` is the same: `queue_ms` is from the arrival of
    the call at the engine to its beginning, mostly the running step, and `exec_ms` from there to its result.
    `error` is a word that can be counted, no free text.
    """
    fields = {
        "call_id": word(call_id),
        "op": word(operation),
        "engine_queue_ms": queue_ms,
        "engine_exec_ms": exec_ms,
        "error": word(error),
    }
    _firstbyte.record("engine", "call.done", fields)


def rollout(
    *,
    trunc_pct: float,
    current_step: int,
    ckpt_step: int,
    buffer_depth: int | None = None,
    rollout_s: float | None = None,
    reload_s: float | None = None,
) -> None:
    """One line on the state of the rollouts: `[rollout]`. `staleness` is `current_step - ckpt_step`.

    `trunc_pct` is the share of truncated completions in per cent; `rollout_s` and `reload_s` are the
    longest rollout and reload in seconds.
    """
    _record(
        "rollout",
        None,
        trunc_pct=trunc_pct,
        current_step=current_step,
        ckpt_step=ckpt_step,
        staleness=_known(lambda: current_step - ckpt_step),
        buffer_depth=buffer_depth,
        rollout_s=rollout_s,
        reload_s=reload_s,
    )
