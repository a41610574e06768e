"""The trainer: takes rollouts from the shared folder, trains on them, writes the next checkpoint there."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import firstbyte

#: What a training step and the size of a checkpoint are here.
TRAIN_S = 0.3
CHECKPOINT_BYTES = 1 << 20


def wait_for(path: Path) -> float:
    """Milliseconds until the file was there."""
    began = time.monotonic()
    while not path.exists():
        time.sleep(0.01)
    return (time.monotonic() - began) * 1e3


def save(checkpoint: Path) -> int:
    """Write a checkpoint; whoever sees its folder sees all of it. The number of bytes."""
    unfinished = checkpoint.with_suffix(".tmp")
    unfinished.mkdir()
    size = (unfinished / "weights.bin").write_bytes(os.urandom(CHECKPOINT_BYTES))
    unfinished.rename(checkpoint)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder of rollouts and checkpoints")
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()

    for number in range(1, args.steps + 1):
        with firstbyte.step(number) as step:
            step.wait_ms = wait_for(args.shared / f"rollouts_{number}.json")
            step.ref_logprobs_cached = number > 1
            time.sleep(TRAIN_S)
        checkpoint = args.shared / f"step_{number}"
        with firstbyte.ckpt_write(number, path=checkpoint) as write:
            write.bytes = save(checkpoint)


if __name__ == "__main__":
    main()
