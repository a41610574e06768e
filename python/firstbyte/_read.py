"""Logs as Python reads them: `firstbyte.read`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from . import _firstbyte
from ._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike


class Tally(TypedDict):
    """What became of each line: `parsed + skipped == total`."""

    total: int
    parsed: int
    #: Of the parsed ones: records that this version does not know.
    unknown: int
    #: Of the parsed ones: lines with a value that is none, such as `NaN`.
    misfits: int
    #: Lines without a line feed, at the end of a file: their last word is not taken.
    torn: int
    skipped: int
    #: How many were skipped, by reason.
    reasons: dict[str, int]
    #: Of the parsed ones: events beyond the million that is kept.
    events_over_limit: int


@dataclass(slots=True)
class Call:
    """One attempt of a control call. Durations are milliseconds; what is unknown is `None`."""

    trace_id: str
    #: `weights`, or `admin` for other control calls.
    tag: str
    #: Whose lines are there: `both`, `client` or `server`.
    halves: str
    op: str | None
    path: str | None
    #: Host and port, and the path of the base URL, if it has one, as the client says.
    target: str | None
    attempt: int | None
    step: int | None
    status: int | None
    #: `ok`, `open`, or how it failed; `None` without the client's half.
    outcome: str | None
    #: The phase in which it failed, and the class of the error.
    failed_phase: str | None
    error: str | None
    #: Reservations of the client about its numbers, separated by commas, such as `rpc_missing`.
    flags: str | None
    server_outcome: str | None
    server_error: str | None
    #: Moments: `_t_ns` of the monotonic clock of the line's host, `_unix_ns` since 1970.
    sent_t_ns: int | None
    sent_unix_ns: int | None
    recv_t_ns: int | None
    recv_unix_ns: int | None
    rpc_start_t_ns: int | None
    rpc_done_t_ns: int | None
    first_byte_t_ns: int | None
    server_done_t_ns: int | None
    #: From the call to the last byte of the response, or to the failure.
    wall_ms: float | None
    #: wall - rpc.
    queue_ms: float | None
    #: The engine's work.
    rpc_ms: float | None
    #: From the end of the call to the caller's code going on; no part of wall.
    resume_ms: float | None
    loop_lag_ms: float | None
    #: From a proxy to `server.recv` on the wall clocks of both, which may differ.
    proxy_ms: float | None
    engine_queue_ms: float | None
    engine_exec_ms: float | None
    #: From `server.recv` to `server.done`.
    server_dur_ms: float | None
    #: From `client.send` to `server.recv`, if both are on one clock.
    until_received_ms: float | None
    #: Requests in progress on the server when it arrived.
    inflight: int | None
    client_file: str | None
    server_file: str | None
    #: The client's phases and the parts of its wait that are known, in milliseconds.
    phases: dict[str, float]


@dataclass(slots=True)
class Event:
    """A line beside the calls. It stands at the event's end; what is unknown, or not its own, is `None`."""

    #: `ckpt.write`, `ckpt.wait`, `gen.batch`, `rollout`, `step`, `infer.batch` or `queue.flush`.
    event: str
    t_ns: int | None
    unix_ns: int | None
    dur_ms: float | None
    #: How long of it a training step waited for data.
    wait_ms: float | None
    step: int | None
    bytes: int | None
    #: That of the checkpoint.
    path: str | None
    completions: int | None
    #: Completions wanted, as the `batch.start` in front says, if no other batch was open.
    target_batch: int | None
    inflight: int | None
    prompts: int | None
    size: int | None
    #: Why the queue was flushed, and the requests that were left in it.
    reason: str | None
    depth: int | None
    input_tokens: int | None
    output_tokens: int | None
    input_tps: float | None
    output_tps: float | None
    trunc_pct: float | None
    ckpt_step: int | None
    staleness: int | None
    buffer_depth: int | None
    rollout_s: float | None
    reload_s: float | None
    ref_logprobs_cached: int | None
    file: str


@dataclass(slots=True)
class Finding:
    """Something that is wrong: `firstbyte runbook ID` says what to do about it."""

    id: str
    title: str
    #: `notice`, `warning` or `critical`.
    severity: str
    #: Whether it was measured, is inferred, or cannot be decided by these lines.
    confidence: str
    #: What was measured, against which threshold.
    numbers: list[str]
    #: Calls, or moments, that show it best.
    evidence: list[str]
    #: Causes that are not excluded.
    rivals: list[str]
    #: The one measurement that would separate them.
    next: str


class Calls(Sequence[Call]):
    """The calls of a log, in the order in which their ids were first seen; each is made when asked for."""

    __slots__ = ("_log",)

    def __init__(self, log: _firstbyte.NativeLog) -> None:
        self._log = log

    def __len__(self) -> int:
        return self._log.calls

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> list[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | list[Call]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return Call(**self._log.call(range(len(self))[index]))


class Log:
    """What logs say, joined. Anything that takes Arrow takes it as the table of its calls.

    `polars.DataFrame(log)`, `pyarrow.table(log)`, `pandas.DataFrame.from_arrow(log)`, and DuckDB's SQL.
    """

    __slots__ = ("_log",)

    def __init__(self, log: _firstbyte.NativeLog) -> None:
        self._log = log

    @property
    def calls(self) -> Calls:
        """Every call: what the client said of it, or the server, or both."""
        return Calls(self._log)

    @property
    def events(self) -> list[Event]:
        """What happened beside the calls, in the order of the lines."""
        return [Event(**self._log.event(n)) for n in range(self._log.events)]

    @property
    def tally(self) -> Tally:
        """What became of each line."""
        return self._log.tally()

    @property
    def unread(self) -> list[str]:
        """Files of which nothing could be read, and why; `notices` has them too."""
        return self._log.unread()

    @property
    def notices(self) -> list[str]:
        """What has to be known before any number is believed: lines left out, clocks that do not compare."""
        return self._log.notices()

    def findings(self, model: str = "medium", rules: str | PathLike[str] | None = None) -> list[Finding]:
        """What is wrong, the worst first: `firstbyte diagnose --model MODEL --rules FILE`.

        Raises `ConfigError` for a size that is none and for rules that mean nothing, `OSError` for a file of
        rules that cannot be read.
        """
        try:
            text = None if rules is None else Path(rules).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"rules={str(rules)!r}: {error}") from None
        return [Finding(**finding) for finding in json.loads(self._log.findings(model, text))]

    def stats(self, by: Literal["op", "target"] | None = None) -> dict[str, Any]:
        """Summaries of all times, in milliseconds: the object of `firstbyte stats --json`."""
        stats: dict[str, Any] = json.loads(self._log.stats(by))
        return stats

    def to_arrow(self, table: Literal["calls", "events"] = "calls") -> _firstbyte.Table:
        """A table for whatever takes Arrow; its columns are those of `firstbyte export`.

        It is no copy: rows are made as they are read, each time anew.
        """
        return self._log.table(table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        tally = self.tally
        return f"<firstbyte.Log: {len(self.calls)} calls of {tally['parsed']} of {tally['total']} lines>"


def read(paths: str | PathLike[str] | Iterable[str | PathLike[str]], *, max_traces: int | None = None) -> Log:
    """Read logs, as `firstbyte stats` does: text and JSON lines in any mix, `.gz` and `.zst`, patterns.

    So many trace ids are kept (600,000, about 300 bytes each); lines of further ones are counted in
    `Log.tally`. Other threads go on while it reads.

    Raises `OSError` with the path of a file that cannot be read, `FileNotFoundError` for one, if that is so
    of all of them; of several the others are read, see `Log.unread`. What is in a file is never an error.
    Raises `ConfigError` for a pattern that is none, and if there is no path.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    try:
        names = [os.fspath(path) for path in paths]
    except TypeError:
        raise ConfigError(f"paths={paths!r}: a path is needed, or several") from None
    if not names:
        raise ConfigError("paths: at least one is needed")
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"paths={name!r}: text is needed")
    if max_traces is not None and (not isinstance(max_traces, int) or max_traces < 0):
        raise ConfigError(f"max_traces={max_traces!r}: a number that is not negative is needed")
    if max_traces is not None:
        max_traces = min(max_traces, sys.maxsize)
    return Log(_firstbyte.NativeLog(names, max_traces))
