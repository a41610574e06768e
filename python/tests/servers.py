"""ASGI servers other than uvicorn, each as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import firstbyte

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


async def application(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-type", b"application/json")]
    await send_head(send, headers) if scope["method"] == "GET" else None
    if scope["method"] == "GET":
        for digit in b"0123456789":
            await send({"type": "http.response.body", "body": bytes([digit]), "more_body": True})
        await send({"type": "http.response.body"})
        return
    async with firstbyte.rpc("update_weights"):
        pass
    await send_head(send, headers)
    await send({"type": "http.response.body", "body": b'{"status": "ok"}'})


async def send_head(send, headers) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})


app = firstbyte.FirstByteMiddleware(application)


@contextlib.contextmanager
def run_server(name: str, log: Path) -> Iterator[int]:
    """The port of a server that runs until the end of the block; then its end is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "hypercorn": ["servers:app", "--bind", f"127.0.0.1:{port}"],
        "granian": ["servers:app", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)],
    }
    environment = os.environ | {"FIRSTBYTE_LOG": str(log), "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(
        [sys.executable, "-m", name, *options[name]],
        env=environment,
        cwd=HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, process.stderr.read().decode()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.02)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stderr.close()
