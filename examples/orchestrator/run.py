"""Run the loop: trainer, inference server and orchestrator, a process each. About 5 s."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Child = subprocess.Popen[bytes]

HERE = Path(__file__).parent
ROLES = ("trainer", "server", "orchestrator")
#: The parts of `queue`, in the order in which they happen.
PARTS = ["setup", "pool", "dns", "connect", "tls", "send"]
PARTS += ["network", "unattributed", "kernel", "handler", "respond", "receive"]


@contextlib.contextmanager
def process(role: str, out: Path, *arguments: str) -> Iterator[Child]:
    """A process of this role, whose lines go to `out`; it is ended with the block."""
    environment = os.environ | {"FIRSTBYTE_LOG": str(out / f"{role}.log")}
    child = subprocess.Popen([sys.executable, str(HERE / f"{role}.py"), *arguments], env=environment)
    try:
        yield child
    finally:
        # As Ctrl-C does: Python ends in order, and firstbyte writes what is left.
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(done: Callable[[], bool], children: dict[str, Child], seconds: float) -> None:
    """Wait as long as no child fails."""
    deadline = time.monotonic() + seconds
    while not done():
        for role, child in children.items():
            if child.poll():
                sys.exit(f"the {role} ended with {child.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"still not done after {seconds} s")
        time.sleep(0.02)


def run_loop(out: Path, steps: int) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as shared, contextlib.ExitStack() as stack:
        children: dict[str, Child] = {}

        def start(role: str, *arguments: str) -> Child:
            children[role] = stack.enter_context(process(role, out, *arguments))
            return children[role]

        loop = ["--shared", shared, "--steps", str(steps)]
        trainer = start("trainer", *loop)
        orchestrator = start("orchestrator", "--server", f"http://127.0.0.1:{port}", *loop)
        # A real server takes minutes to load its model; this one comes once somebody has asked for it.
        log = out / "orchestrator.log"
        wait_until(lambda: log.exists() and "client.fail" in log.read_text(), children, seconds=15)
        start("server", "--port", str(port))
        wait_until(lambda: trainer.poll() == orchestrator.poll() == 0, children, seconds=30 + 5 * steps)


def records(path: Path, name: str) -> Iterator[dict[str, str]]:
    """The fields of each line of this name; `tid` is its trace id."""
    for line in path.read_text().splitlines():
        ids, _, fields = line.partition(f" {name} ")
        if fields:
            tid = ids.rpartition("[")[2].rstrip("]")
            yield dict(field.split("=", 1) for field in fields.split()) | {"tid": tid}


def print_updates(log: Path) -> None:
    """A row for each call of the updates."""
    steps = {call["tid"]: call["step"] for call in records(log, "client.send") if "step" in call}
    calls = [call for call in records(log, "client.done") if call["tid"] in steps]
    parts = [part for part in PARTS if any(f"{part}_ms" in call for call in calls)]
    print("step  call              wall =    rpc +  queue =", *(f"{part:>7}" for part in parts))
    for call in calls:
        wall, rpc, queue, *rest = (call.get(f"{part}_ms", "-") for part in ["wall", "rpc", "queue", *parts])
        print(f"{steps[call['tid']]:>4}  {call['op']:<14}", f"{wall:>7}  {rpc:>7}  {queue:>7} ", end=" ")
        print(*(f"{part:>7}" for part in rest))
    print("all times in milliseconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the logs (default: out)")
    parser.add_argument("--steps", type=int, default=3, help="training steps (default: 3)")
    args = parser.parse_args()
    # As after an exception: the children are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    args.out.mkdir(parents=True, exist_ok=True)
    logs = [args.out / f"{role}.log" for role in ROLES]
    for log in logs:
        log.unlink(missing_ok=True)  # lines are appended: these are to be of this run alone
    run_loop(args.out, args.steps)
    print_updates(args.out / "orchestrator.log")
    print("logs:", *logs)


if __name__ == "__main__":
    main()
