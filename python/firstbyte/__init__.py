"""Where did each millisecond of a control-plane call go?

On the server one flag, in the client one line:

    vllm serve MODEL --middleware firstbyte.FirstByteMiddleware

    client = firstbyte.instrument(httpx.AsyncClient())

Both sides write lines with one trace id and the split of the call's wall time, to the logger
`firstbyte`, or to the file that `FIRSTBYTE_LOG` names. Nothing happens at import.
"""

from ._admin import AdminClient, AsyncAdminClient
from ._asgi import FirstByteMiddleware
from ._errors import (
    BodyError,
    ConfigError,
    FirstByteError,
    NotSent,
    OutcomeUnknown,
    OverlapError,
    StatusError,
)
from ._firstbyte import __version__
from ._fleet import AdminFleet, AsyncAdminFleet, FanOutResult, TargetResult
from ._instrument import instrument, uninstrument
from ._process import Accounting, accounting, configure, flush, shutdown
from ._read import Call, Event, Finding, Log, read
from ._response import AdminResponse
from ._rpc import current_trace_id, rpc, trace
from ._timers import batch_flush, ckpt_wait, ckpt_write, engine_call, gen_batch, infer_batch, rollout, step
from ._types import AsyncProbe, CallOptions, CallState, Outcome, Probe

__all__ = [
    "Accounting",
    "AdminClient",
    "AdminFleet",
    "AdminResponse",
    "AsyncAdminClient",
    "AsyncAdminFleet",
    "AsyncProbe",
    "BodyError",
    "Call",
    "CallOptions",
    "CallState",
    "ConfigError",
    "Event",
    "FanOutResult",
    "Finding",
    "FirstByteError",
    "FirstByteMiddleware",
    "Log",
    "NotSent",
    "Outcome",
    "OutcomeUnknown",
    "OverlapError",
    "Probe",
    "StatusError",
    "TargetResult",
    "__version__",
    "accounting",
    "batch_flush",
    "ckpt_wait",
    "ckpt_write",
    "configure",
    "current_trace_id",
    "engine_call",
    "flush",
    "gen_batch",
    "infer_batch",
    "instrument",
    "read",
    "rollout",
    "rpc",
    "shutdown",
    "step",
    "trace",
    "uninstrument",
]
