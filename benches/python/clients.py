"""What `instrument` adds to a call of httpx over a transport that answers at once, next to OpenTelemetry."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import firstbyte
from rows import Table, added

ROUNDS = 40
CALLS = 200
HEADERS = [
    (b"x-trace-id", b"x-trace-id", b"00f067aa0ba902b7"),
    (b"traceparent", b"traceparent", b"00-000000000000000000f067aa0ba902b7-53995c3f42cd8ad8-01"),
]


class Nowhere(SpanExporter):
    def export(self, spans) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class NullTransport(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/json"}, content=b"{}")


class Propagating(NullTransport):
    """Adds the two headers that carry the id, and does nothing else: what they cost httpx itself."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers._list.extend(HEADERS)
        return await super().handle_async_request(request)


def opentelemetry() -> httpx.AsyncClient:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    transport = AsyncOpenTelemetryTransport(NullTransport(), tracer_provider=provider)
    return httpx.AsyncClient(transport=transport)


async def microseconds(client: httpx.AsyncClient, path: str) -> float:
    url = f"http://127.0.0.1:8000{path}"
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        await client.post(url)
    return (time.perf_counter_ns() - start) / 1e3 / CALLS


async def measure() -> dict[str, list[float]]:
    clients = {
        "bare control": (httpx.AsyncClient(transport=NullTransport()), "/update_weights"),
        "control": (firstbyte.instrument(httpx.AsyncClient(transport=NullTransport())), "/update_weights"),
        "bare other": (httpx.AsyncClient(transport=NullTransport()), "/v1/completions"),
        "other": (firstbyte.instrument(httpx.AsyncClient(transport=NullTransport())), "/v1/completions"),
        "headers": (httpx.AsyncClient(transport=Propagating()), "/update_weights"),
        "OpenTelemetry": (opentelemetry(), "/update_weights"),
    }
    times = defaultdict(list)
    for _ in range(ROUNDS):
        # In another order each time: who comes after whom matters to the caches.
        for name in random.sample(list(clients), len(clients)):
            client, path = clients[name]
            times[name].append(await microseconds(client, path))
        firstbyte.flush()
    return times


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        firstbyte.configure(log=Path(folder) / "log")
        times = asyncio.run(measure())
        firstbyte.shutdown()
    bare = sorted(times["bare other"])[ROUNDS // 2]
    table = Table()
    table.context("httpx: a call over a null transport", bare, "us")
    table.at_most(
        "httpx: instrument, control call to a file, added",
        added(times["control"], times["bare control"]),
        "us",
        2.5,
    )
    table.context("httpx: two more headers, added", added(times["headers"], times["bare control"]), "us")
    # A look-up in the route table, within a per cent of the call: the noise of this measurement.
    table.at_most(
        "httpx: instrument, any other call, added",
        added(times["other"], times["bare other"]),
        "us",
        round(bare / 100, 1),
    )
    table.context("httpx: OpenTelemetry, added", added(times["OpenTelemetry"], times["bare control"]), "us")
    table.write("python-httpx")


if __name__ == "__main__":
    main()
