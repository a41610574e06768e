"""The examples do what they say: the loop of three processes, and how to switch us on elsewhere."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import Line, parse

import firstbyte

EXAMPLES = Path(__file__).parents[2] / "examples"
SNIPPETS = EXAMPLES / "vllm-server"
STEPS = 2
MIDDLEWARE = "firstbyte.FirstByteMiddleware"

#: Every kind of line and which role writes it. Not here: `firstbyte dropped`, which must not be there.
KINDS = {
    "trainer": {
        ("firstbyte", "process.start"),
        ("step", "step.done"),
        ("ckpt", "write.start"),
        ("ckpt", "write.done"),
        ("firstbyte", "process.end"),
    },
    "server": {
        ("firstbyte", "process.start"),
        ("admin", "server.recv"),
        ("admin", "server.first_byte"),
        ("admin", "server.done"),
        ("weights", "server.recv"),
        ("weights", "rpc.start"),
        ("weights", "rpc.done"),
        ("weights", "server.first_byte"),
        ("weights", "server.done"),
        ("queue", "batch.flush"),
        ("engine", "call.done"),
        ("firstbyte", "process.end"),
    },
    "orchestrator": {
        ("firstbyte", "process.start"),
        ("admin", "client.send"),
        ("admin", "client.done"),
        ("admin", "client.fail"),
        ("weights", "client.send"),
        ("weights", "client.waiting"),
        ("weights", "client.done"),
        ("ckpt", "wait.start"),
        ("ckpt", "wait.done"),
        ("gen", "batch.start"),
        ("gen", "batch.done"),
        ("infer", "batch.done"),
        ("rollout", None),
        ("firstbyte", "process.end"),
    },
}


def run(*command: object, **environment: str) -> str:
    """What the command wrote; it has to succeed."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("FIRSTBYTE", "VLLM_"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Line]]:
    """The lines of each role of the loop; every line is one of ours."""
    out = tmp_path_factory.mktemp("loop")
    said = run(sys.executable, EXAMPLES / "orchestrator" / "run.py", "--out", out, "--steps", STEPS)
    rows = [row.split() for row in said.splitlines() if row.lstrip()[:1].isdigit()]
    calls = ["pause", "update_weights", "resume"]
    assert [row[:2] for row in rows] == [[str(step), call] for step in range(1, STEPS + 1) for call in calls]
    return {role: parse((out / f"{role}.log").read_text()) for role in KINDS}


def test_a_loop_that_is_told_to_end_leaves_no_process_behind(tmp_path):
    command = [sys.executable, EXAMPLES / "orchestrator" / "run.py", "--out", tmp_path, "--steps", "100"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "server.log").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        assert not [child for child in children if Path(f"/proc/{child}").exists()]
    for role in KINDS:
        assert parse((tmp_path / f"{role}.log").read_text())[-1].name == "process.end"


@pytest.mark.parametrize("role", KINDS)
def test_each_role_writes_its_kinds_of_line(loop, role):
    lines = loop[role]
    assert {(line.tag, line.name) for line in lines} == KINDS[role]
    end = lines[-1]
    assert end.name == "process.end"
    assert int(end["offered"]) == int(end["written"]) == len(lines) - 2
    assert end["dropped"] == "0"


def test_each_update_joins_both_sides_under_one_id(loop):
    clients, servers = by_id(loop["orchestrator"]), by_id(loop["server"])
    updates = [
        line.trace_id for line in loop["orchestrator"] if line.name == "client.send" and "step" in line
    ]
    assert len(set(updates)) == STEPS
    operations = ["pause", "update_weights", "resume"]
    for step, trace_id in enumerate(updates, 1):
        client, server = clients[trace_id], servers[trace_id]
        sent = [line for line in client if line.name == "client.send"]
        assert [line["op"] for line in sent] == operations
        assert [line.fields.get("step") for line in sent] == [None, str(step), None]

        ends = [line for line in client if line.name in ("client.done", "client.fail")]
        assert [(line.name, line["op"], line["status"]) for line in ends] == [
            ("client.done", operation, "200") for operation in operations
        ]
        received = [line["path"] for line in server if line.name == "server.recv"]
        assert received == [f"/{operation}" for operation in operations]
        served = [line for line in server if line.name == "server.done"]
        assert [(line["status"], line["outcome"]) for line in served] == [("200", "ok")] * 3

        worked = [line for line in server if line.name == "rpc.done"]
        assert [line["op"] for line in worked] == operations
        for end, work in zip(ends, worked, strict=True):
            assert end["rpc_ms"] == work["rpc_ms"]
            assert end.ms("wall_ms") >= end.ms("rpc_ms")
            assert end.ms("queue_ms") == pytest.approx(end.ms("wall_ms") - end.ms("rpc_ms"), abs=0.11)
        assert worked[1].ms("rpc_ms") >= 400


def test_every_call_has_one_end_on_each_side(loop):
    calls = [line for line in loop["orchestrator"] if line.name == "client.send"]
    ends = [line for line in loop["orchestrator"] if line.name in ("client.done", "client.fail")]
    assert sorted(line.trace_id for line in calls) == sorted(line.trace_id for line in ends)
    answered = sorted(line.trace_id for line in ends if line.name == "client.done")
    for name in ("server.recv", "server.done"):
        assert sorted(line.trace_id for line in loop["server"] if line.name == name) == answered


def test_a_server_that_is_not_there_yet_is_a_failure_that_was_not_sent(loop):
    failures = [line for line in loop["orchestrator"] if line.name == "client.fail"]
    assert {(line["phase"], line["outcome"], line["op"]) for line in failures} == {
        ("connect", "not_sent", "is_paused")
    }


def test_rollouts_are_one_step_behind(loop):
    rollouts = [line for line in loop["orchestrator"] if line.tag == "rollout"]
    assert [line["current_step"] for line in rollouts] == ["0", "1"]
    assert [line["staleness"] for line in rollouts] == ["0", "1"]


def test_completions_begin_in_batches(loop):
    flushes = [line for line in loop["server"] if line.tag == "queue"]
    assert sum(int(line["size"]) for line in flushes) == 16 * STEPS
    assert {line["reason"] for line in flushes} <= {"full", "timeout"}
    assert all(line.ms("wait_ms") < 1000 for line in flushes)


def test_the_engine_splits_what_its_handler_timed(loop):
    engine = {line["call_id"]: line for line in loop["server"] if line.tag == "engine"}
    handlers = {
        line["call_id"]: line for line in loop["server"] if "call_id" in line and line.name == "rpc.done"
    }
    assert engine.keys() == handlers.keys()
    assert len(engine) == STEPS
    for call_id, line in engine.items():
        assert line.ms("engine_exec_ms") >= 400
        parts = line.ms("engine_queue_ms") + line.ms("engine_exec_ms")
        assert parts <= handlers[call_id].ms("rpc_ms") + 0.2


def by_id(lines: list[Line]) -> dict[str | None, list[Line]]:
    grouped = defaultdict(list)
    for line in lines:
        grouped[line.trace_id].append(line)
    return grouped


def test_the_middleware_is_a_class_that_vllm_finds_by_its_name():
    module, _, name = MIDDLEWARE.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert inspect.isclass(found)
    assert found is firstbyte.FirstByteMiddleware


@pytest.mark.parametrize("script", ["vllm.sh", "trl.sh"])
def test_the_middleware_is_the_last_argument_of_vllm(tmp_path, script):
    vllm = echo_instead_of(tmp_path, "vllm")
    environment = {"VLLM_PLUGINS": "theirs", "VLLM_USE_RUST_FRONTEND": "1", "PATH": vllm}
    said = run(SNIPPETS / script, "model", "--port", 1, **environment).splitlines()
    arguments = [line.removeprefix("argument ") for line in said if line.startswith("argument ")]
    assert arguments[:6] == ["serve", "model", "--host", "127.0.0.1", "--port", "1"]
    assert arguments[-2:] == ["--middleware", MIDDLEWARE]
    assert {"FIRSTBYTE=1", "VLLM_SERVER_DEV_MODE=1", "VLLM_PLUGINS=theirs,firstbyte"} <= set(said)
    assert not any(line.startswith("VLLM_USE_RUST_FRONTEND=") for line in said)
    assert "VLLM_PLUGINS=" not in run(SNIPPETS / script, "model", PATH=vllm)


def test_verl_gets_overrides(tmp_path):
    python = echo_instead_of(tmp_path, "python3")
    said = run(SNIPPETS / "verl.sh", "trainer.nnodes=1", PATH=python, FIRSTBYTE_LOG="/tmp/f.log").splitlines()
    arguments = [line.removeprefix("argument ") for line in said if line.startswith("argument ")]
    environment = "+ray_kwargs.ray_init.runtime_env.env_vars"
    assert arguments == [
        "-m",
        "verl.trainer.main_ppo",
        "trainer.nnodes=1",
        f"{environment}.FIRSTBYTE='1'",
        f"{environment}.FIRSTBYTE_LOG='/tmp/f.log'",
        f"+actor_rollout_ref.rollout.engine_kwargs.vllm.middleware={MIDDLEWARE}",
    ]


def test_prime_rl_and_skyrl_get_a_list():
    # tomllib is there from 3.11 on.
    if sys.version_info >= (3, 11):
        import tomllib

        config = tomllib.loads((SNIPPETS / "prime-rl.toml").read_text())
        assert config["inference"]["vllm"]["middleware"] == [MIDDLEWARE]
        assert config["inference"]["env_vars"]["FIRSTBYTE"] == "1"
    assert f"      middleware:\n        - {MIDDLEWARE}\n" in (SNIPPETS / "skyrl.yaml").read_text()


def echo_instead_of(folder: Path, program: str) -> str:
    """A path for programs on which this one tells its arguments and its environment."""
    script = folder / program
    script.write_text('#!/usr/bin/env bash\n(($#)) && printf "argument %s\\n" "$@"\nenv\n')
    script.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
