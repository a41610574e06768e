"""A server that is not ours: FastAPI on uvicorn, with control routes as inference servers have them."""

import asyncio
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health() -> dict:
    return {}


@app.post("/update_weights")
async def update_weights() -> dict:
    start = time.perf_counter()
    await asyncio.sleep(0.2)  # the engine loads the weights
    return {"status": "ok", "rpc_ms": (time.perf_counter() - start) * 1e3}


@app.post("/pause")
async def pause() -> dict:
    return {"status": "paused"}
