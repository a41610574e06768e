"""The orchestrator: collects rollouts for the trainer, and brings the server its new weights.

One batch is generated ahead: while the trainer trains and the server reloads, completions are streaming.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

import firstbyte

BATCH = 16
#: Completions at a time.
INFLIGHT = 8
MAX_TOKENS = 32


@dataclass
class Rollout:
    """A completion, and the step of the weights that it began with."""

    prompt: str
    text: str
    truncated: bool
    input_tokens: int
    output_tokens: int
    seconds: float
    ckpt_step: int


async def wait_for_server(client: httpx.AsyncClient) -> None:
    """A server that still loads its model refuses connections: each time is a line `client.fail`."""
    while True:
        try:
            (await client.get("/is_paused")).raise_for_status()
            return
        except httpx.ConnectError:
            await asyncio.sleep(0.2)


async def complete(client: httpx.AsyncClient, prompt: str, ckpt_step: int) -> Rollout:
    """Stream one completion."""
    began = time.monotonic()
    text = ""
    body = {"prompt": prompt, "max_tokens": MAX_TOKENS, "stream": True}
    async with client.stream("POST", "/v1/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            data = line.removeprefix("data: ")
            if data not in ("", "[DONE]"):
                chunk = json.loads(data)
                text += chunk["choices"][0]["text"]
    # The last chunk says how it ended and what it took.
    return Rollout(
        prompt=prompt,
        text=text,
        truncated=chunk["choices"][0]["finish_reason"] == "length",
        input_tokens=chunk["usage"]["prompt_tokens"],
        output_tokens=chunk["usage"]["completion_tokens"],
        seconds=time.monotonic() - began,
        ckpt_step=ckpt_step,
    )


async def generate(client: httpx.AsyncClient, ckpt_step: int) -> list[Rollout]:
    """A batch of rollouts, INFLIGHT at a time."""
    prompts = [f"What is {number} times seven?" for number in range(BATCH)]
    rollouts: list[Rollout] = []
    async with firstbyte.gen_batch(inflight=INFLIGHT, target_batch=len(prompts)) as batch:
        for begin in range(0, len(prompts), INFLIGHT):
            group = prompts[begin : begin + INFLIGHT]
            async with firstbyte.infer_batch(prompts=len(group)) as inference:
                done = await asyncio.gather(*(complete(client, prompt, ckpt_step) for prompt in group))
                inference.input_tokens, inference.output_tokens = tokens(done)
            rollouts += done
        batch.completions, batch.inflight = len(rollouts), 0
        batch.input_tokens, batch.output_tokens = tokens(rollouts)
    return rollouts


def tokens(rollouts: list[Rollout]) -> tuple[int, int]:
    """Tokens of prompts and of completions."""
    read = sum(rollout.input_tokens for rollout in rollouts)
    written = sum(rollout.output_tokens for rollout in rollouts)
    return read, written


def report(rollouts: list[Rollout], current_step: int, reload_s: float | None) -> None:
    firstbyte.rollout(
        trunc_pct=100 * sum(rollout.truncated for rollout in rollouts) / len(rollouts),
        current_step=current_step,
        ckpt_step=min(rollout.ckpt_step for rollout in rollouts),
        buffer_depth=len(rollouts),
        rollout_s=max(rollout.seconds for rollout in rollouts),
        reload_s=reload_s,
    )


def hand_over(rollouts: list[Rollout], path: Path) -> None:
    """Give a batch to the trainer; if it sees the file, it sees all of it."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps([asdict(rollout) for rollout in rollouts]))
    unfinished.rename(path)


async def wait_for_checkpoint(shared: Path, step: int) -> Path:
    checkpoint = shared / f"step_{step}"
    with firstbyte.ckpt_wait(step):
        while not checkpoint.exists():  # noqa: ASYNC110 - it comes from another process
            await asyncio.sleep(0.01)
    return checkpoint


async def update(admin: firstbyte.AsyncAdminClient, step: int, checkpoint: Path) -> float:
    """Bring the server to this checkpoint: three calls with one trace id. The seconds of the reload."""
    body = {"weight_dir": str(checkpoint)}
    with firstbyte.trace():
        async with admin.paused():
            # Loading the same weights twice does no harm, so that a lost connection may be tried again.
            answer = await admin.post("/update_weights", json=body, step=step, operation_class="idempotent")
            answer.raise_for_status()
    return answer.wall_ms / 1e3


async def run(server: str, shared: Path, steps: int) -> None:
    # Control calls have connections of their own, so that they never wait behind the streams. One that
    # takes long says every minute where it is stuck; a reload takes 0.4 s here.
    admin = firstbyte.AsyncAdminClient(server, still_waiting=0.25)
    limits = httpx.Limits(max_connections=INFLIGHT)
    async with httpx.AsyncClient(base_url=server, limits=limits, timeout=None, trust_env=False) as client:
        # Traces control calls over this client as well, and lets completions through as they are.
        firstbyte.instrument(client)
        await wait_for_server(client)

        ckpt_step, reload_s = 0, None
        generation = asyncio.create_task(generate(client, ckpt_step))
        for step in range(1, steps + 1):
            rollouts = await generation
            report(rollouts, current_step=step - 1, reload_s=reload_s)
            hand_over(rollouts, shared / f"rollouts_{step}.json")
            if step < steps:
                generation = asyncio.create_task(generate(client, ckpt_step))
            checkpoint = await wait_for_checkpoint(shared, step)
            reload_s = await update(admin, step, checkpoint)
            ckpt_step = step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="http://host:port")
    parser.add_argument("--shared", type=Path, required=True, help="folder of rollouts and checkpoints")
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    asyncio.run(run(args.server, args.shared, args.steps))


if __name__ == "__main__":
    main()
