"""The inference server: completions that stream and the control routes of vLLM, around a mock engine."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import firstbyte

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: A step of the engine, which makes a token of each completion, and a reload without reading the file.
STEP_S = 0.01
RELOAD_S = 0.4
#: So many completions begin together, and none waits longer for that.
BATCH = 4
BATCH_WAIT_S = 0.02


class Admission:
    """Lets completions begin together: a queue, flushed when it is full or its first one has waited."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    async def __call__(self) -> None:
        loop = asyncio.get_running_loop()
        self.waiting.append(loop.create_future())
        admitted = self.waiting[-1]
        if len(self.waiting) == 1:
            self.since = time.monotonic()
            self.timeout = loop.call_later(BATCH_WAIT_S, self.flush, "timeout")
        if len(self.waiting) == BATCH:
            self.flush("full")
        await admitted

    def flush(self, reason: str) -> None:
        self.timeout.cancel()
        wait_ms = 1e3 * (time.monotonic() - self.since)
        firstbyte.batch_flush(len(self.waiting), wait_ms, reason=reason)
        for admitted in self.waiting:
            if not admitted.cancelled():
                admitted.set_result(None)
        self.waiting = []


class Engine:
    """Makes tokens, step by step, while it is not paused."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.running.set()
        self.weights = "initial"

    async def generate(self, count: int) -> AsyncIterator[str]:
        for number in range(count):
            await self.running.wait()
            await asyncio.sleep(STEP_S)
            yield f" t{number}"

    async def update_weights(self, weight_dir: Path, call_id: str) -> None:
        """Load other weights between two steps."""
        came = time.monotonic()
        await asyncio.sleep(STEP_S - came % STEP_S)
        began = time.monotonic()
        await asyncio.to_thread(self.load, weight_dir)
        queue_ms, exec_ms = 1e3 * (began - came), 1e3 * (time.monotonic() - began)
        firstbyte.engine_call(call_id, "update_weights", queue_ms=queue_ms, exec_ms=exec_ms)

    def load(self, weight_dir: Path) -> None:
        self.weights = hashlib.sha256((weight_dir / "weights.bin").read_bytes()).hexdigest()
        time.sleep(RELOAD_S)


class Completion(BaseModel):
    prompt: str
    max_tokens: int


class Update(BaseModel):
    weight_dir: Path


engine, admission = Engine(), Admission()
app = FastAPI()
# Added last, so that it is outermost and sees a request before everything else does.
app.add_middleware(firstbyte.FirstByteMiddleware)


@app.post("/v1/completions")
async def completions(request: Completion) -> StreamingResponse:
    wanted = random.randint(8, request.max_tokens * 5 // 4)
    count = min(wanted, request.max_tokens)
    usage = {"prompt_tokens": len(request.prompt.split()), "completion_tokens": count}

    async def events() -> AsyncIterator[str]:
        await admission()
        async for text in engine.generate(count):
            yield event({"choices": [{"text": text, "finish_reason": None}]})
        reason = "length" if wanted > count else "stop"
        yield event({"choices": [{"text": "", "finish_reason": reason}], "usage": usage})
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


@app.get("/is_paused")
async def is_paused() -> dict[str, bool]:
    return {"is_paused": not engine.running.is_set()}


@app.post("/pause")
async def pause() -> dict[str, str]:
    with firstbyte.rpc("pause"):
        engine.running.clear()
    return {"status": "paused"}


@app.post("/update_weights")
async def update_weights(update: Update) -> dict[str, str]:
    async with firstbyte.rpc("update_weights") as call:
        call.call_id = uuid.uuid4().hex
        await engine.update_weights(update.weight_dir, call.call_id)
    return {"status": "ok", "weights": engine.weights}


@app.post("/resume")
async def resume() -> dict[str, str]:
    with firstbyte.rpc("resume"):
        engine.running.set()
    return {"status": "resumed"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
