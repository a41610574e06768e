"""The inference server: completions that stream and the control routes of vLLM, around a mock engine."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import firstbyte

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: From one token to the next, and what a reload takes besides reading the file.
TOKEN_S = 0.01
RELOAD_S = 0.4


class Engine:
    """Makes tokens while it is not paused."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.running.set()
        self.weights = "initial"

    async def generate(self, count: int) -> AsyncIterator[str]:
        for number in range(count):
            await self.running.wait()
            await asyncio.sleep(TOKEN_S)
            yield f" t{number}"

    def load(self, weight_dir: Path) -> None:
        self.weights = hashlib.sha256((weight_dir / "weights.bin").read_bytes()).hexdigest()
        time.sleep(RELOAD_S)


class Completion(BaseModel):
    prompt: str
    max_tokens: int


class Update(BaseModel):
    weight_dir: Path


engine = Engine()
app = FastAPI()
# Added last, so that it is outermost and sees a request before everything else does.
app.add_middleware(firstbyte.FirstByteMiddleware)


@app.post("/v1/completions")
async def completions(request: Completion) -> StreamingResponse:
    wanted = random.randint(8, request.max_tokens * 5 // 4)
    count = min(wanted, request.max_tokens)
    usage = {"prompt_tokens": len(request.prompt.split()), "completion_tokens": count}

    async def events() -> AsyncIterator[str]:
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
    async with firstbyte.rpc("update_weights"):
        await asyncio.to_thread(engine.load, update.weight_dir)
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
