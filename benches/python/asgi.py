"""What the ASGI middleware adds to a request, next to its peers, in one run.

Requests go through the application in process. Every variant runs turn by turn and has code of its own:
the interpreter specialises call sites, and variants that share them would slow each other down.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.middleware.base import BaseHTTPMiddleware

import firstbyte
from rows import Table, added

ROUNDS = 40
CHUNKS = 200

APPLICATION = f"""
async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json")]}})
    if scope["query_string"]:
        for _ in range({CHUNKS}):
            await send({{"type": "http.response.body", "body": b"data: token", "more_body": True}})
    await send({{"type": "http.response.body", "body": b"{{}}", "more_body": False}})
"""


class Cycle:
    """The server's side of a request: methods, as uvicorn's are."""

    async def send(self, message: object) -> None: ...

    async def receive(self) -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}


def application():
    names: dict[str, object] = {}
    exec(compile(APPLICATION, "app", "exec"), names)
    return names["app"]


class PassThrough:
    """The least that a middleware in Python can be."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        await self.app(scope, receive, send)


class Nowhere(SpanExporter):
    def export(self, spans) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def opentelemetry():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    return OpenTelemetryMiddleware(application(), tracer_provider=provider)


def prometheus():
    app = FastAPI()
    app.mount("/", application())
    Instrumentator().instrument(app)
    return app


def bare_fastapi():
    app = FastAPI()
    app.mount("/", application())
    return app


async def dispatch(request, call_next):
    return await call_next(request)


def variants() -> dict[str, tuple[object, str]]:
    stream, control = "/v1/completions", "/update_weights"
    return {
        "bare": (application(), stream),
        "untraced": (firstbyte.FirstByteMiddleware(application()), stream),
        "control": (firstbyte.FirstByteMiddleware(application()), control),
        "pass-through coroutine": (PassThrough(application()), stream),
        "asgi-correlation-id": (CorrelationIdMiddleware(application()), stream),
        "BaseHTTPMiddleware": (BaseHTTPMiddleware(application(), dispatch), stream),
        "OpenTelemetry": (opentelemetry(), stream),
        "bare FastAPI": (bare_fastapi(), stream),
        "prometheus-fastapi-instrumentator": (prometheus(), stream),
    }


def scope(path: str, query: bytes) -> dict[str, object]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"user-agent", b"orchestrator/1"),
            (b"accept", b"*/*"),
            (b"content-type", b"application/json"),
            (b"content-length", b"0"),
        ],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
    }


async def microseconds(app, path: str, query: bytes, requests: int) -> float:
    cycle = Cycle()
    start = time.perf_counter_ns()
    for _ in range(requests):
        await app(scope(path, query), cycle.receive, cycle.send)
    return (time.perf_counter_ns() - start) / 1e3 / requests


async def measure() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    requests, streams = defaultdict(list), defaultdict(list)
    apps = variants()
    for _ in range(ROUNDS):
        for name, (app, path) in apps.items():
            fast = name in ("bare", "untraced", "control", "pass-through coroutine")
            requests[name].append(await microseconds(app, path, b"", 1000 if fast else 100))
            streams[name].append(await microseconds(app, path, b"stream", 10 if fast else 2))
            firstbyte.flush()
    return requests, streams


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        firstbyte.configure(log=Path(folder) / "log")
        requests, streams = asyncio.run(measure())
        dropped = sum(firstbyte.accounting()["dropped"].values())
        firstbyte.shutdown()
    assert dropped == 0, f"{dropped} events were dropped: it was measured without them"

    def base(name: str) -> str:
        return "bare FastAPI" if name.startswith("prometheus") else "bare"

    def per_request(name: str) -> float:
        return added(requests[name], requests[base(name)])

    def per_chunk(name: str) -> float:
        """What a stream costs more than a request, divided by its chunks."""
        ours = [s - r for s, r in zip(streams[name], requests[name], strict=True)]
        bare = [s - r for s, r in zip(streams[base(name)], requests[base(name)], strict=True)]
        return added(ours, bare) / CHUNKS

    table = Table()
    table.context("asgi: a request through the bare application", sorted(requests["bare"])[ROUNDS // 2], "us")
    table.at_most(
        "asgi: FirstByteMiddleware, untraced, added per request", per_request("untraced"), "us", 0.6
    )
    table.at_most("asgi: FirstByteMiddleware, control call to a file, added", per_request("control"), "us", 5)
    # Nothing is wrapped: what is measured here is the noise, a hundredth of a microsecond.
    table.at_most("asgi: FirstByteMiddleware, untraced, added per chunk", per_chunk("untraced"), "us", 0.01)
    table.at_most("asgi: FirstByteMiddleware, traced, added per chunk", per_chunk("control"), "us", 0.08)
    peers = [name for name in requests if name not in ("bare", "bare FastAPI", "untraced", "control")]
    for name in peers:
        table.context(f"asgi: {name}, added per request", per_request(name), "us")
        table.context(f"asgi: {name}, added per chunk", per_chunk(name), "us")
    table.write("python-asgi")


if __name__ == "__main__":
    main()
