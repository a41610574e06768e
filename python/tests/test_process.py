"""The recorder as part of somebody's process: its settings, `logging`, forks, signals and the end.

All of it happens in processes of its own; each is asserted to end as it should.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from conftest import parse
from scripted_server import Disconnected, ScriptedServer, answer, refusing_port, silent

import firstbyte

if TYPE_CHECKING:
    from pathlib import Path

#: What each of the programs begins with.
PRELUDE = """\
import asyncio, gc, logging, multiprocessing, os, signal, sys, threading, time, warnings
import firstbyte

def leave():
    # The last thing that the program does itself.
    print("leaves", time.monotonic(), flush=True)
"""


@dataclass
class Ended:
    """A process that has ended."""

    returncode: int
    out: str
    err: str
    #: Seconds from `leave()` to the end.
    exit_s: float


class Program:
    """Runs pieces of Python, with a log of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "firstbyte.log"

    def environment(self, **variables: str | None) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTBYTE_")}
        variables = {"FIRSTBYTE_LOG": str(self.log), **variables}
        return clean | {name: value for name, value in variables.items() if value is not None}

    def start(
        self, code: str, *arguments: str, flags=(), stdin=None, **variables: str | None
    ) -> subprocess.Popen[str]:
        script = self.folder / "program.py"
        script.write_text(PRELUDE + code)
        return subprocess.Popen(
            [sys.executable, *flags, str(script), *arguments],
            env=self.environment(**variables),
            cwd=self.folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        ended = time.monotonic()
        left = [line.split()[1] for line in out.splitlines() if line.startswith("leaves ")]
        out = "".join(line for line in out.splitlines(True) if not line.startswith("leaves "))
        return Ended(process.returncode, out, err, ended - float(left[-1]) if left else 0.0)

    def run(self, code: str, *arguments: str, flags=(), **variables: str | None) -> Ended:
        return self.end(self.start(code, *arguments, flags=flags, **variables))

    def lines(self):
        return parse(self.log.read_text())

    def counts(self) -> Counter[str | None]:
        return Counter(line.name for line in self.lines())

    def check_laws(self, processes: int = 1) -> None:
        """Each process said hello and goodbye, lost nothing, and every call has one end."""
        lines = self.lines()
        assert len([line for line in lines if line.name == "process.start"]) == processes
        goodbyes = [line for line in lines if line.name == "process.end"]
        assert len(goodbyes) == processes
        for goodbye in goodbyes:
            assert goodbye["offered"] == goodbye["written"]
            assert goodbye["dropped"] == "0"
        begun = Counter(line.trace_id for line in lines if line.name == "client.send")
        ended = Counter(line.trace_id for line in lines if line.name in ("client.done", "client.fail"))
        assert begun == ended


@pytest.fixture
def program(tmp_path) -> Program:
    return Program(tmp_path)


# Import.


def test_nothing_happens_at_import(program):
    ended = program.run(
        """
assert threading.active_count() == 1
assert os.listdir("/proc/self/task") == [str(os.getpid())], os.listdir("/proc/self/task")
for name in ("httpx", "httpx2", "aiohttp", "requests", "vllm", "uvicorn", "fastapi", "typing_extensions"):
    assert name not in sys.modules, name
names = [name for name in logging.Logger.manager.loggerDict if name.startswith("firstbyte")]
assert names in ([], ["firstbyte"]), names
logger = logging.getLogger("firstbyte")
assert logger.handlers == logging.getLogger().handlers == []
assert logger.level == logging.NOTSET
assert all(signal.getsignal(n) in (signal.SIG_DFL, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGHUP))
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
targets = [os.readlink(link) for link in links if os.path.lexists(link)]
assert not any("socket" in target or "firstbyte" in target for target in targets), targets
assert firstbyte.accounting() == {"offered": 0, "written": 0, "failures": 0, "invalid_ids": 0,
                                  "dropped": dict.fromkeys(firstbyte.accounting()["dropped"], 0)}
# The writer thread needs it. A fork in the middle of its import would leave the child half a module.
assert "firstbyte._logging" in sys.modules
assert firstbyte.flush()
firstbyte.shutdown()
assert os.listdir("/proc/self/task") == [str(os.getpid())]
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert not program.log.exists()


def test_all_names_exist_and_are_sorted(program):
    assert sorted(set(firstbyte.__all__)) == sorted(firstbyte.__all__)
    assert all(hasattr(firstbyte, name) for name in firstbyte.__all__)


# Where lines go.


@pytest.mark.parametrize("where", ["log", "json", "both"])
def test_the_environment_names_the_files(program, where):
    json = program.folder / "firstbyte.json"
    variables = {
        "FIRSTBYTE_LOG": str(program.log) if where != "json" else None,
        "FIRSTBYTE_JSON": str(json) if where != "log" else "",
    }
    ended = program.run("with firstbyte.step(7): pass", **variables)
    assert (ended.returncode, ended.out, ended.err) == (0, "", "")
    assert program.log.exists() == (where != "json")
    assert json.exists() == (where != "log")
    for path in (program.log, json):
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.read_text().count("step.done") == 1
            assert len(path.read_text().splitlines()) == 3


def test_the_environment_may_name_stderr(program):
    ended = program.run("with firstbyte.step(7): pass", FIRSTBYTE_LOG="stderr")
    assert ended.returncode == 0
    assert ended.out == ""
    assert [line.name for line in parse(ended.err)] == ["process.start", "step.done", "process.end"]
    assert not (program.folder / "stderr").exists()


def test_configure_goes_before_the_environment(program):
    ended = program.run(
        """
firstbyte.configure(log="mine.log", json="mine.json", capacity=100, flush_interval=0.01)
with firstbyte.step(7): pass
time.sleep(0.3)
assert "step.done" in open("mine.log").read()
firstbyte.configure(log="second.log")
with firstbyte.step(8): pass
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert not program.log.exists()
    names = {name: (program.folder / name).read_text() for name in ("mine.log", "second.log")}
    assert [line.name for line in parse(names["mine.log"])] == ["process.start", "step.done", "process.end"]
    assert [line["step"] for line in parse(names["second.log"]) if line.tag == "step"] == ["8"]
    assert (program.folder / "mine.json").read_text().count("step.done") == 1


def test_two_processes_append_to_one_file(program):
    code = "for n in range(2000):\n    with firstbyte.step(n): pass"
    processes = [program.start(code) for _ in range(2)]
    assert [program.end(process).returncode for process in processes] == [0, 0]
    assert program.counts()["step.done"] == 4000
    program.check_laws(processes=2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("log='/no/such/folder/log'", "/no/such/folder/log"),
        ("json='/no/such/folder/log'", "create its folder"),
        ("log='/'", "/"),
        ("capacity=0", "capacity"),
        ("capacity=1 << 30", "capacity"),
        ("capacity=-1", "capacity=-1"),
        ("capacity='many'", "capacity"),
        ("log=5", "log"),
        ("log=b'/tmp/x'", "log"),
        ("flush_interval='x'", "flush_interval"),
        ("flush_interval=0.0", "flush interval"),
        ("flush_interval=-1.0", "flush_interval=-1"),
        ("log='same', json='same'", "the same file"),
        ("log='same', json='./same'", "the same file"),
        ("log='firstbyte.log', json=os.path.realpath('firstbyte.log')", "the same file"),
    ],
)
def test_settings_that_cannot_work_are_refused(program, options, says):
    ended = program.run(
        f"""
try:
    firstbyte.configure({options})
except firstbyte.ConfigError as error:
    print(error)
with firstbyte.step(1): pass
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert says in ended.out
    # The settings from before are still those.
    assert program.counts()["step.done"] == 1


@pytest.mark.parametrize(
    "made",
    [
        "FirstByteMiddleware(print)",
        "AdminClient('http://h')",
        "AsyncAdminClient('http://h')",
        "instrument(__import__('httpx').Client())",
    ],
)
@pytest.mark.parametrize("name", ["FIRSTBYTE_LOG", "FIRSTBYTE_JSON", "FIRSTBYTE_ROUTES"])
def test_an_environment_that_cannot_work_is_refused_where_something_is_made(program, made, name):
    ended = program.run(
        f"""
for _ in range(2):
    try:
        firstbyte.{made}
    except firstbyte.ConfigError as error:
        print(error)
""",
        **{name: "/no/such/folder/file"},
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.out.count("/no/such/folder/file") == 2


def test_an_environment_with_one_file_for_both_is_refused(program):
    ended = program.run("firstbyte.AdminClient('http://h')", FIRSTBYTE_JSON=str(program.log))
    assert ended.returncode == 1
    assert "the same file" in ended.err
    assert not program.log.exists()


TIMERS = """
def work():
    with firstbyte.step(1): pass
    with firstbyte.ckpt_write(1), firstbyte.ckpt_wait(1), firstbyte.infer_batch(1): pass
    with firstbyte.rpc("update_weights"): pass
    firstbyte.rollout(trunc_pct=1, current_step=1, ckpt_step=1)
    async def generate():
        async with firstbyte.gen_batch(inflight=1, target_batch=1): pass
    asyncio.run(generate())
"""


def test_timers_never_raise_but_warn_once(program):
    ended = program.run(
        TIMERS
        + """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    work()
    work()
ours = [str(warning.message) for warning in caught if "firstbyte" in str(warning.message)]
assert len(ours) == 1, ours
print(ours[0])
firstbyte.configure(log="later.log")
work()
""",
        FIRSTBYTE_LOG="/no/such/folder/log",
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert "/no/such/folder/log" in ended.out
    assert "step.done" in (program.folder / "later.log").read_text()


def test_timers_never_raise_where_warnings_are_errors(program):
    ended = program.run(TIMERS + "work()", flags=["-W", "error"], FIRSTBYTE_LOG="/no/such/folder/log")
    assert (ended.returncode, ended.err) == (0, "")


# Overload.


@pytest.mark.parametrize("sink", ["file", "logging"])
def test_every_event_is_accounted_for_after_an_overload(program, sink):
    ended = program.run(
        """
logging.getLogger("firstbyte").addHandler(logging.NullHandler())
firstbyte.configure(log=sys.argv[1], capacity=64)
def work():
    for n in range(25_000):
        firstbyte.rollout(trunc_pct=1, current_step=n, ckpt_step=n)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert firstbyte.flush(10)
balance = firstbyte.accounting()
assert balance["offered"] == 100_000, balance
assert balance["offered"] == balance["written"] + sum(balance["dropped"].values()), balance
assert balance["written"] > 0
assert balance["failures"] == 0
print(balance["written"], sum(balance["dropped"].values()))
""",
        str(program.log) if sink == "file" else "logging",
    )
    assert (ended.returncode, ended.err) == (0, "")
    written, dropped = map(int, ended.out.split())
    if sink == "file":
        told = re.compile(r"\[firstbyte\] dropped count=(\d+) reason=queue_full\n")
        text = program.log.read_text()
        assert sum(map(int, told.findall(text))) == dropped
        lines = parse(told.sub("", text))
        assert sum(line.tag == "rollout" for line in lines) == written
        (goodbye,) = [line for line in lines if line.name == "process.end"]
        assert (goodbye["written"], goodbye["dropped"]) == (str(written), str(dropped))


# Python's logging.


def test_without_settings_lines_go_to_stderr(program):
    ended = program.run(
        """
with firstbyte.ckpt_write(7, path="/a%sb"): pass
firstbyte.flush()
logger = logging.getLogger("firstbyte")
assert logger.handlers == logging.getLogger().handlers == []
assert logger.isEnabledFor(logging.INFO)
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.out) == (0, "")
    names = [line.name for line in parse(ended.err)]
    assert names == ["process.start", "write.start", "write.done", "process.end"]
    assert "path=/a%25sb" in ended.err


def test_a_stderr_of_the_programs_own_is_respected(program):
    ended = program.run(
        """
import io
sys.stderr = io.StringIO()
with firstbyte.step(7): pass
assert firstbyte.flush()
assert "step.done step=7" in sys.stderr.getvalue()
sys.stderr = None
with firstbyte.step(8): pass
firstbyte.flush()
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize("logger", ["firstbyte", ""])
def test_with_handlers_lines_go_there_only(program, logger):
    ended = program.run(
        """
records = []
class Handler(logging.Handler):
    def emit(self, record):
        records.append((record.name, record.levelname, record.getMessage()))
logging.getLogger(sys.argv[1]).addHandler(Handler())
with firstbyte.step(7): pass
assert firstbyte.flush()
firstbyte.shutdown()
assert {record[:2] for record in records} == {("firstbyte", "INFO")}
print(*[record[2] for record in records], sep="\\n")
""",
        logger,
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert [line.name for line in parse(ended.out)] == ["process.start", "step.done", "process.end"]


def test_handlers_that_come_later_take_over(program):
    ended = program.run(
        """
with firstbyte.step(1): pass
assert firstbyte.flush()
logging.basicConfig(format="ROOT %(message)s", stream=sys.stdout)
with firstbyte.step(2): pass
""",
        FIRSTBYTE_LOG=None,
    )
    assert ended.returncode == 0
    assert [line["step"] for line in parse(ended.err) if line.tag == "step"] == ["1"]
    assert ended.out.count("ROOT [step] step.done step=2") == 1
    assert "step=1" not in ended.out


def test_logging_that_is_configured_after_the_import_does_not_silence_it(program):
    """`dictConfig` turns off the loggers that there are, unless it is told not to."""
    ended = program.run(
        """
import logging.config
handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
root = {"handlers": ["all"], "level": "WARNING"}
logging.config.dictConfig({"version": 1, "handlers": {"all": handler}, "root": root})
with firstbyte.step(7): pass
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert [line.name for line in parse(ended.out)] == ["process.start", "step.done", "process.end"]


@pytest.mark.parametrize("says", ["environment", "configure"])
def test_a_program_that_changes_its_folder_goes_on_with_its_file(program, says):
    code = """
if sys.argv[1] == "configure":
    firstbyte.configure(log="firstbyte.log")
os.mkdir("elsewhere")
for n in range(2):
    with firstbyte.step(n): pass
    assert firstbyte.flush()
    os.chdir(os.path.join(os.path.dirname(__file__), "elsewhere"))
child = multiprocessing.get_context("fork").Process(target=lambda: firstbyte.step(2).record(1.0))
child.start(); child.join()
assert (child.exitcode, os.listdir()) == (0, [])
"""
    relative = "firstbyte.log" if says == "environment" else None
    ended = program.run(code, says, FIRSTBYTE_LOG=relative)
    assert (ended.returncode, ended.err) == (0, "")
    program.check_laws(processes=2)
    assert [line["step"] for line in program.lines() if line.tag == "step"] == ["0", "1", "2"]


def test_the_level_that_was_set_is_kept(program):
    code = """
logging.basicConfig()
logging.getLogger("firstbyte").setLevel(logging.WARNING)
with firstbyte.step(7): pass
assert firstbyte.flush()
"""
    ended = program.run(code, FIRSTBYTE_LOG=None)
    assert (ended.returncode, ended.out, ended.err) == (0, "", "")


def test_configure_may_name_logging(program):
    ended = program.run("firstbyte.configure(log='logging')\nwith firstbyte.step(7): pass")
    assert ended.returncode == 0
    assert "step.done step=7" in ended.err
    assert not program.log.exists()


def test_a_handler_that_raises_is_the_writers_problem(program):
    ended = program.run(
        """
raised = 0
class Handler(logging.Handler):
    def emit(self, record):
        global raised
        raised += 1
        raise KeyError("handler")
logging.getLogger("firstbyte").addHandler(Handler())
for n in range(100):
    with firstbyte.step(n): pass
assert firstbyte.flush()
balance = firstbyte.accounting()
assert raised > 0
assert balance["offered"] == 100 == balance["written"] + sum(balance["dropped"].values()), balance
assert balance["written"] < 100
leave()
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.exit_s < 5


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_a_handler_cannot_end_the_process(program, error):
    ended = program.run(
        f"""
class Handler(logging.Handler):
    def emit(self, record):
        if "step=2" in record.getMessage():
            print("goes on")
        elif "step=" in record.getMessage():
            raise {error}
logging.getLogger("firstbyte").addHandler(Handler())
for n in range(3):
    with firstbyte.step(n): pass
    assert firstbyte.flush()
assert firstbyte.accounting()["dropped"]["sink"] == 2
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.out, ended.err) == (0, "goes on\n", "")


def test_a_slow_handler_does_not_block_the_host(program):
    ended = program.run(
        """
entered = threading.Event()
class Handler(logging.Handler):
    def emit(self, record):
        entered.set()
        time.sleep(2)
logging.getLogger("firstbyte").addHandler(Handler())
started = time.monotonic()
for n in range(1000):
    with firstbyte.step(n): pass
took = time.monotonic() - started
assert entered.wait(10)
assert took < 1.5, took
assert not firstbyte.flush(0.1)
leave()
""",
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.err) == (0, "")
    # logging itself waits for the line that the handler is about.
    assert ended.exit_s < 6


@pytest.mark.parametrize("does", ["time.sleep(1)", "spin()"])
def test_a_thread_that_is_in_a_handler_while_the_interpreter_ends(program, does):
    """It comes back at a time when no thread but the main one may run Python any more."""
    with ScriptedServer(silent) as server:
        ended = program.run(
            f"""
entered = threading.Event()
def spin(until=1.5, monotonic=time.monotonic):
    began = monotonic()
    while monotonic() - began < until:
        pass
def slow(record):
    # Filters run without a lock that the end of logging would wait for.
    entered.set()
    {does}
    return True
class Last:
    def __del__(self, sleep=time.sleep, write=os.write):
        sleep(1)
        write(1, b"last\\n")
sys.last = Last()
logging.getLogger("firstbyte").addFilter(slow)
client = firstbyte.AdminClient(sys.argv[1])
threading.Thread(target=client.post, args=("/pause",), daemon=True).start()
assert entered.wait(10)
""",
            server.url,
            FIRSTBYTE_LOG=None,
        )
    assert (ended.returncode, ended.err, ended.out) == (0, "", "last\n")


# The end.


def test_a_program_that_ends_says_goodbye(program):
    ended = program.run("with firstbyte.step(7): pass\nleave()")
    assert (ended.returncode, ended.out, ended.err) == (0, "", "")
    assert program.counts() == {"process.start": 1, "step.done": 1, "process.end": 1}
    assert ended.exit_s < 4


@pytest.mark.parametrize(
    ("code", "returncode", "err"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('message')", 1, "message"),
        ("raise KeyError('work')", 1, "KeyError: 'work'"),
        ("raise SystemExit", 0, ""),
    ],
)
def test_however_it_ends_lines_are_written(program, code, returncode, err):
    ended = program.run(f"with firstbyte.step(7): pass\n{code}")
    assert ended.returncode == returncode
    assert ended.err.strip().endswith(err)
    assert program.counts() == {"process.start": 1, "step.done": 1, "process.end": 1}


def test_what_is_recorded_after_the_end_is_counted(program):
    ended = program.run(
        """
with firstbyte.step(7): pass
firstbyte.shutdown()
with firstbyte.step(8): pass
firstbyte.shutdown()
balance = firstbyte.accounting()
assert (balance["offered"], balance["written"], balance["dropped"]["closed"]) == (2, 1, 1), balance
"""
    )
    assert (ended.returncode, ended.err) == (0, "")


def test_os_exit_leaves_at_once(program):
    ended = program.run("with firstbyte.step(7): pass\nfirstbyte.flush()\nleave()\nos._exit(5)")
    assert (ended.returncode, ended.err) == (5, "")
    assert program.counts() == {"process.start": 1, "step.done": 1}
    assert ended.exit_s < 4


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_signal_ends_it_as_without_us(program, name):
    """Lines that are older than the flush interval are in the file."""
    process = program.start("with firstbyte.step(7): pass\nprint('ready', flush=True)\ntime.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 10
    while not program.log.exists() or program.counts()["step.done"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    assert program.end(process).returncode == -getattr(signal, name)
    assert program.counts() == {"process.start": 1, "step.done": 1}


def test_a_signal_to_uvicorn_loses_no_line(program):
    """It ends its application, and then itself by the same signal."""
    code = """if True:
        import uvicorn

        async def application(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            print("ready", flush=True)
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            for step in range(1000):
                with firstbyte.step(step):
                    pass

        app = firstbyte.FirstByteMiddleware(application)
        uvicorn.run(app, port=0, log_level="critical", lifespan="on")
    """
    process = program.start(code)
    assert process.stdout.readline() == "ready\n"
    # Its handlers are set by then.
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert program.end(process).returncode == -signal.SIGTERM
    assert program.counts() == {"process.start": 1, "step.done": 1000, "process.end": 1}
    program.check_laws()


def test_a_call_that_a_server_cuts_off_at_its_end_has_an_end(program):
    """As uvicorn does after its `timeout_graceful_shutdown`; another application goes on."""
    code = """if True:
        async def application(scope, receive, send):
            if scope["type"] == "http":
                with firstbyte.rpc("pause"):
                    await asyncio.Event().wait()

        async def main():
            ended, other = (firstbyte.FirstByteMiddleware(application) for _ in range(2))
            scope = {"type": "http", "method": "POST", "path": "/pause", "headers": []}
            lifespans = [ended({"type": "lifespan"}, None, None) for _ in range(2)]
            calls = [asyncio.ensure_future(app(scope, None, None)) for app in (ended, other)]
            await asyncio.sleep(0)
            await lifespans.pop()
            firstbyte.flush()
            print(open(sys.argv[1]).read().count("server.done"), flush=True)
            await lifespans.pop()
            os.kill(os.getpid(), signal.SIGTERM)

        asyncio.run(main())
    """
    ended = program.run(code, str(program.log))
    assert (ended.returncode, ended.out, ended.err) == (-signal.SIGTERM, "0\n", "")
    lines = [line for line in program.lines() if line.tag == "weights"]
    assert [line.name for line in lines[-2:]] == ["rpc.done", "server.done"]
    assert (lines[-2]["error"], lines[-1]["outcome"]) == ("cancelled", "cancelled")
    assert program.counts() | {"process.end": 1} == {
        "process.start": 1,
        "server.recv": 2,
        "rpc.start": 2,
        "rpc.done": 1,
        "server.done": 1,
        "process.end": 1,
    }
    assert program.lines()[-1].name == "process.end"


def test_a_call_goes_on_whose_application_knows_of_no_end(program):
    """And is served at one more address, where it says so once more."""
    code = """if True:
        async def application(scope, receive, send):
            assert scope["type"] == "http"
            await lifespan()

        async def lifespan():
            try:
                await served({"type": "lifespan"}, None, None)
            except AssertionError:
                pass

        served = firstbyte.FirstByteMiddleware(application)
        scope = {"type": "http", "method": "POST", "path": "/pause", "headers": []}
        asyncio.run(served(scope, None, None))
    """
    ended = program.run(code)
    assert (ended.returncode, ended.err) == (0, "")
    (done,) = [line for line in program.lines() if line.name == "server.done"]
    assert done["outcome"] == "error", "it ends without an answer"


def test_two_threads_that_begin_at_once_end_once(program):
    ended = program.run(
        """
firstbyte._process.shutdown = lambda: print("the end")
for _ in range(2):
    firstbyte._process.hook()
"""
    )
    assert (ended.returncode, ended.out, ended.err) == (0, "the end\n", "")


def test_the_last_goodbye_is_that_of_the_process(program):
    """Two applications end one after the other, one of them knows of no end, and the process goes on."""
    code = """if True:
        async def application(scope, receive, send):
            with firstbyte.step(1):
                pass

        async def without_lifespan(scope, receive, send):
            assert scope["type"] == "http"

        async def lifespan(application):
            try:
                await firstbyte.FirstByteMiddleware(application)({"type": "lifespan"}, None, None)
            except AssertionError:
                pass

        asyncio.run(lifespan(without_lifespan))
        asyncio.run(lifespan(application))
        asyncio.run(lifespan(application))
        if sys.argv[1] == "on":
            with firstbyte.step(2):
                pass
    """
    for goes, balances in [("on", ["1", "2", "3"]), ("ends", ["1", "2"])]:
        ended = program.run(code, goes)
        assert (ended.returncode, ended.err) == (0, "")
        ends = [line for line in program.lines() if line.name == "process.end"]
        assert [(line["offered"], line["written"]) for line in ends] == [(n, n) for n in balances]
        program.log.unlink()


def test_a_server_whose_program_handles_the_signal_says_goodbye(program):
    code = """if True:
        import uvicorn

        async def application(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            print("ready", flush=True)
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            with firstbyte.step(7):
                pass

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        uvicorn.run(firstbyte.FirstByteMiddleware(application), port=0, log_level="critical", lifespan="on")
    """
    process = program.start(code)
    assert process.stdout.readline() == "ready\n"
    # Its handlers are set by then.
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert program.end(process).returncode == 143
    assert program.counts() == {"process.start": 1, "step.done": 1, "process.end": 1}


@pytest.mark.parametrize("busy", ["", "firstbyte.AdminClient(sys.argv[1]).post('/pause')"])
def test_ctrl_c_ends_it_as_without_us(program, busy):
    with ScriptedServer(silent) as server:
        process = program.start(f"print('ready', flush=True)\n{busy or 'time.sleep(60)'}", server.url)
        assert process.stdout.readline() == "ready\n"
        if busy:
            server.wait_for(1)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        ended = program.end(process)
        assert time.monotonic() - started < 4
    assert ended.returncode == -signal.SIGINT
    assert ended.err.strip().endswith("KeyboardInterrupt")
    if busy:
        program.check_laws()
        (fail,) = [line for line in program.lines() if line.name == "client.fail"]
        assert fail["outcome"] == "cancelled"


def test_ctrl_c_in_paused_resumes(program):
    with ScriptedServer(answer(), silent, answer()) as server:
        process = program.start(
            """
client = firstbyte.AdminClient(sys.argv[1])
try:
    with client.paused():
        client.post("/update_weights")
except KeyboardInterrupt:
    # The connection is closed a moment later, by the native thread.
    while client.unknown is None:
        time.sleep(0.01)
    sys.exit(7)
""",
            server.url,
        )
        server.wait_for(2)
        process.send_signal(signal.SIGINT)
        ended = program.end(process)
        assert server.paths() == ["/pause", "/update_weights", "/resume"]
    assert (ended.returncode, ended.err) == (7, "")
    program.check_laws()
    assert program.counts()["client.done"] == 2


def test_a_signal_handler_that_returns_does_not_end_a_call(program):
    with ScriptedServer(answer(delay=0.5)) as server:
        process = program.start(
            """
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
print(firstbyte.AdminClient(sys.argv[1]).post("/pause").status)
""",
            server.url,
        )
        server.wait_for(1)
        process.send_signal(signal.SIGUSR1)
        ended = program.end(process)
    assert (ended.returncode, ended.out) == (0, "handled\n200\n")


CALLS = {
    "sync call in a thread": """
threading.Thread(target=firstbyte.AdminClient(sys.argv[1]).post, args=("/pause",), daemon=True).start()
wait()
""",
    "sync call in a thread, kept connection": """
client = firstbyte.AdminClient(sys.argv[1], max_connections=1)
threading.Thread(target=client.post, args=("/pause",), daemon=True).start()
wait()
""",
    "asyncio.run": """
async def main():
    task = asyncio.create_task(firstbyte.AsyncAdminClient(sys.argv[1]).post("/pause"))
    await asyncio.to_thread(wait)
asyncio.run(main())
""",
    "loop that is left": """
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
loop = asyncio.new_event_loop()
task = loop.create_task(firstbyte.AsyncAdminClient(sys.argv[1]).post("/pause"))
loop.run_until_complete(asyncio.sleep(0.01))
wait()
""",
    "loop that is closed": """
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
loop = asyncio.new_event_loop()
task = loop.create_task(firstbyte.AsyncAdminClient(sys.argv[1]).post("/pause"))
loop.run_until_complete(asyncio.sleep(0.01))
loop.close()
wait()
""",
    "loop of a thread": """
thread = threading.Thread(
    target=lambda: asyncio.run(firstbyte.AsyncAdminClient(sys.argv[1]).post("/pause")), daemon=True)
thread.start()
wait()
""",
}
WAIT = """
def wait():
    assert sys.stdin.readline() == "go\\n"
"""


@pytest.mark.parametrize("how", CALLS)
def test_the_end_in_the_middle_of_a_call(program, how):
    with ScriptedServer(silent) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + WAIT + CALLS[how] + "leave()", server.url],
            env=program.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        server.wait_for(1)
        process.stdin.write("go\n")
        process.stdin.flush()
        ended = program.end(process)
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.exit_s < 4
    counts = program.counts()
    assert counts["client.send"] == counts["client.fail"] == 1, program.log.read_text()
    program.check_laws()
    (fail,) = [line for line in program.lines() if line.name == "client.fail"]
    assert (fail["phase"], fail["outcome"]) == ("wait", "cancelled")


def test_the_end_while_daemon_threads_go_on(program):
    ended = program.run(
        """
def timers():
    while True:
        with firstbyte.ckpt_write(1, path="/a"), firstbyte.rpc("x"): pass

def calls():
    client = firstbyte.AdminClient(sys.argv[1], attempts=1)
    while True:
        try:
            client.post("/pause", allow_overlap=True)
        except firstbyte.FirstByteError:
            pass

def async_calls():
    async def main():
        client = firstbyte.AsyncAdminClient(sys.argv[1], attempts=1)
        while True:
            try:
                await client.post("/pause", allow_overlap=True)
            except firstbyte.FirstByteError:
                pass
    asyncio.run(main())

for work in (timers, calls, async_calls) * 2:
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
leave()
""",
        f"http://127.0.0.1:{refusing_port()}",
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.exit_s < 4


def test_an_answer_that_no_loop_asks_for_any_more(program):
    with ScriptedServer(answer(delay=0.2)) as server:
        ended = program.run(
            """
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
client = firstbyte.AsyncAdminClient(sys.argv[1])
loop = asyncio.new_event_loop()
task = loop.create_task(client.post("/pause"))
loop.run_until_complete(asyncio.sleep(0.05))
loop.close()
while client.in_flight():
    time.sleep(0.01)
""",
            server.url,
        )
    assert (ended.returncode, ended.err) == (0, "")
    program.check_laws()
    assert program.counts()["client.done"] == 1


def test_the_end_waits_a_moment_for_a_resume(program):
    with ScriptedServer(answer(), answer(delay=0.1)) as server:
        ended = program.run(
            """
async def main():
    async def work():
        async with firstbyte.AsyncAdminClient(sys.argv[1]).paused():
            inside.set()
            await asyncio.sleep(60)
    inside = asyncio.Event()
    task = asyncio.create_task(work())
    await inside.wait()
asyncio.run(main())
leave()
""",
            server.url,
        )
        assert server.paths() == ["/pause", "/resume"]
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.exit_s < 4
    assert program.counts()["client.done"] == 2
    program.check_laws()


def test_the_end_has_nearly_a_second_for_a_resume(program):
    with ScriptedServer(answer(), answer(delay=0.5)) as server:
        ended = program.run(
            """
async def main():
    async def work():
        async with firstbyte.AsyncAdminClient(sys.argv[1]).paused():
            inside.set()
            await asyncio.sleep(60)
    inside = asyncio.Event()
    task = asyncio.create_task(work())
    await inside.wait()
asyncio.run(main())
leave()
""",
            server.url,
        )
    assert (ended.returncode, ended.err) == (0, "")
    assert program.counts()["client.done"] == 2
    program.check_laws()


def test_the_end_does_not_wait_longer_than_a_second_for_a_resume(program):
    with ScriptedServer(answer(), silent) as server:
        ended = program.run(
            """
async def main():
    async def work():
        async with firstbyte.AsyncAdminFleet([firstbyte.AsyncAdminClient(sys.argv[1])]).paused():
            inside.set()
            await asyncio.sleep(60)
    inside = asyncio.Event()
    task = asyncio.create_task(work())
    await inside.wait()
asyncio.run(main())
leave()
""",
            server.url,
        )
        assert server.paths() == ["/pause", "/resume"]
    assert (ended.returncode, ended.err) == (0, "")
    assert 0.5 < ended.exit_s < 4
    program.check_laws()


def test_what_is_open_at_the_end_has_one_end(program):
    """Of a server, of an instrumented client and of timers, on threads that never get there."""
    with ScriptedServer(silent) as server:
        ended = program.run(
            """
import httpx
async def application(scope, receive, send):
    with firstbyte.rpc("outer"), firstbyte.rpc("inner"):
        await asyncio.sleep(60)
def serve():
    scope = {"type": "http", "method": "POST", "path": "/pause", "headers": []}
    middleware = firstbyte.FirstByteMiddleware(application)
    async def main():
        await middleware(scope, None, None)
    asyncio.run(main())
def call():
    firstbyte.instrument(httpx.Client(trust_env=False)).post(sys.argv[1] + "/resume")
for work in (serve, call):
    threading.Thread(target=work, daemon=True).start()
log = open(os.environ["FIRSTBYTE_LOG"])
text = ""
while text.count("rpc.start") < 2 or "client.send" not in text:
    time.sleep(0.01)
    text += log.read()
# Of what has no outcome to tell, an end that did not come is not written.
firstbyte.ckpt_write(7).__enter__()
leave()
""",
            server.url,
        )
    assert (ended.returncode, ended.err) == (0, "")
    program.check_laws()
    server = [line for line in program.lines() if line.name in ("rpc.done", "server.done")]
    assert [(line.name, line.fields.get("op")) for line in server] == [
        ("rpc.done", "inner"),
        ("rpc.done", "outer"),
        ("server.done", None),
    ]
    assert [line["error"] for line in server[:2]] == ["cancelled"] * 2
    (fail,) = [line for line in program.lines() if line.name == "client.fail"]
    assert [line["outcome"] for line in (server[2], fail)] == ["cancelled"] * 2
    assert (fail["op"], fail["phase"]) == ("resume", "wait")


def test_what_ends_after_a_shutdown_has_its_end_already(program):
    ended = program.run(
        """
with firstbyte.rpc("pause") as timer:
    firstbyte.shutdown()
assert timer.rpc_ms is None
balance = firstbyte.accounting()
assert balance["offered"] == balance["written"] == 2, balance
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert program.counts()["rpc.done"] == 1


@pytest.mark.parametrize(
    "interrupted",
    [
        """
async def main():
    async def work():
        async with firstbyte.AsyncAdminClient(sys.argv[1]).paused():
            pass
    task = asyncio.create_task(work())
    await asyncio.to_thread(sys.stdin.readline)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
asyncio.run(main())
""",
        """
import signal
threading.Thread(target=lambda: (sys.stdin.readline(), os.kill(os.getpid(), signal.SIGINT))).start()
try:
    with firstbyte.AdminClient(sys.argv[1]).paused():
        pass
except KeyboardInterrupt:
    pass
""",
    ],
    ids=["cancel", "ctrl-c"],
)
def test_a_resume_that_is_interrupted_is_waited_for(program, interrupted):
    """It is on its way, and its answer comes after the program has ended."""
    gate = threading.Event()

    def late(exchange):
        assert gate.wait(20)
        answer()(exchange)

    with ScriptedServer(answer(), late) as server:
        process = program.start(interrupted + "leave()", server.url, stdin=subprocess.PIPE)
        server.wait_for(2)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("leaves")
        gate.set()
        ended = program.end(process)
    assert (ended.returncode, ended.err) == (0, "")
    assert program.counts()["client.done"] == 2
    program.check_laws()


@pytest.mark.parametrize(
    "call",
    [
        "firstbyte.AdminClient(sys.argv[1]).post('/pause')",
        "asyncio.run(asyncio.wait_for(a(), 20))",
    ],
    ids=["sync", "async"],
)
def test_a_shutdown_in_the_middle_of_a_call_ends_it(program, call):
    with ScriptedServer(silent) as server:
        ended = program.run(
            f"""
async def a(): await firstbyte.AsyncAdminClient(sys.argv[1]).post("/pause")
def stop():
    time.sleep(0.5)
    firstbyte.shutdown()
threading.Thread(target=stop).start()
try:
    {call}
except firstbyte.OutcomeUnknown as error:
    print(error.reason)
""",
            server.url,
        )
    assert (ended.returncode, ended.out, ended.err) == (0, "shutdown\n", "")


def test_a_log_that_nobody_reads_delays_no_exit(program):
    fifo = program.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ended = program.run(
            """
started = time.monotonic()
for n in range(5000):
    with firstbyte.step(n): pass
assert time.monotonic() - started < 5
firstbyte.flush(2)  # a full pipe is waited for, a quarter of a second
balance = firstbyte.accounting()
assert balance["offered"] == 5000 == balance["written"] + sum(balance["dropped"].values()), balance
assert balance["dropped"]["sink"] > 0
leave()
""",
            FIRSTBYTE_LOG=str(fifo),
        )
    finally:
        os.close(reader)
    assert (ended.returncode, ended.err) == (0, "")
    assert ended.exit_s < 4


@pytest.mark.parametrize("log", ["stderr", None], ids=["stderr", "logging"])
def test_a_stderr_that_nobody_reads_delays_no_exit(program, log):
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PRELUDE
                + """
started = time.monotonic()
for n in range(5000):
    with firstbyte.step(n): pass
assert time.monotonic() - started < 5
stuck = not firstbyte.flush(0.3)
leave()
sys.exit(0 if stuck else 9)
""",
            ],
            env=program.environment(FIRSTBYTE_LOG=log),
            stdout=subprocess.PIPE,
            stderr=writer,
            text=True,
        )
        ended = program.end(process)
    finally:
        os.close(reader)
        os.close(writer)
    assert ended.returncode == 0
    assert ended.exit_s < 4


def test_a_pipe_that_nobody_opened_is_refused(program):
    os.mkfifo(program.folder / "fifo")
    ended = program.run("firstbyte.AdminClient('http://h')", FIRSTBYTE_LOG=str(program.folder / "fifo"))
    assert ended.returncode == 1
    assert "ConfigError" in ended.err
    assert "start its reader first" in ended.err


# Forks.

FORKED = """
client = firstbyte.AdminClient(sys.argv[1])
kept = firstbyte.AdminClient(sys.argv[1], max_connections=2)

def call(path):
    for each in (client, kept):
        assert each.post(path).status == 200
        assert each.post(path).status == 200

def call_async(path):
    async def main():
        each = firstbyte.AsyncAdminClient(sys.argv[1])
        assert (await each.post(path)).status == 200
    asyncio.run(main())
"""
JOIN = """
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
"""


def check_forked(program: Program, processes: int) -> None:
    program.check_laws(processes)
    pids = [line["pid"] for line in program.lines() if line.name == "process.start"]
    assert len(set(pids)) == processes
    ids = [line.trace_id for line in program.lines() if line.name == "client.send"]
    assert len(set(ids)) == len(ids), "parent and child went on with the same ids"


def test_a_fork_before_the_first_use(program):
    with ScriptedServer() as server:
        ended = program.run(
            """
pid = os.fork()
"""
            + FORKED
            + """
path = "/child" if pid == 0 else "/parent"
call(path)
call_async(path)
if pid == 0:
    sys.exit(0)
"""
            + JOIN,
            server.url,
        )
        assert Counter(server.paths()) == {"/parent": 5, "/child": 5}
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 2)


@pytest.mark.parametrize("leaves", ["sys.exit(0)", "os._exit(0)"])
def test_a_fork_after_the_first_use(program, leaves):
    with ScriptedServer() as server:
        ended = program.run(
            FORKED
            + f"""
warnings.simplefilter("ignore", DeprecationWarning)
call("/before")
call_async("/before")
pid = os.fork()
path = "/child" if pid == 0 else "/parent"
call(path)
call_async(path)
if pid == 0:
    assert firstbyte.accounting()["offered"] == 10
    firstbyte.shutdown()
    {leaves}
"""
            + JOIN,
            server.url,
        )
        assert Counter(server.paths()) == {"/before": 5, "/parent": 5, "/child": 5}
        by_connection = {}
        for request in server.requests:
            by_connection.setdefault(request.connection, set()).add(request.path)
        assert not any({"/child", "/parent"} <= paths for paths in by_connection.values())
        assert not any({"/child", "/before"} <= paths for paths in by_connection.values())
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 2)


def test_a_fork_in_the_middle_of_calls(program):
    """The child ends none of its parent's calls, and waits for none."""
    with ScriptedServer(answer(delay=0.6), answer(delay=0.6), answer()) as server:
        ended = program.run(
            FORKED
            + """
warnings.simplefilter("ignore", DeprecationWarning)
options = {"allow_overlap": True}
calls = [threading.Thread(target=each.post, args=("/slow",), kwargs=options) for each in (client, kept)]
[thread.start() for thread in calls]
while sum(state["phase"] == "wait" for each in (client, kept) for state in each.in_flight()) < 2:
    time.sleep(0.005)
timer = firstbyte.step(1)
timer.__enter__()
pid = os.fork()
if pid == 0:
    assert client.in_flight() == kept.in_flight() == []
    call("/child")
    sys.exit(0)
timer.__exit__(None, None, None)
[thread.join() for thread in calls]
"""
            + JOIN,
            server.url,
        )
        assert Counter(server.paths()) == {"/slow": 2, "/child": 4}
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 2)
    assert program.counts()["client.done"] == 6


def test_a_fleet_in_a_child_of_a_fork_has_connections_of_its_own(program):
    with ScriptedServer() as one, ScriptedServer() as other:
        ended = program.run(
            """
warnings.simplefilter("ignore", DeprecationWarning)
fleet = firstbyte.AdminFleet(firstbyte.AdminClient(url, max_connections=1) for url in sys.argv[1:])
fleet.get("/before").raise_for_outcome()
child = os.fork()
fleet.get("/child" if child == 0 else "/parent").raise_for_outcome()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
            one.url,
            other.url,
        )
        assert (ended.returncode, ended.err) == (0, "")
        for server in (one, other):
            assert sorted(server.paths()) == ["/before", "/child", "/parent"]
            assert server.connections == 2


def test_a_fork_of_a_fork(program):
    with ScriptedServer() as server:
        ended = program.run(
            FORKED
            + """
warnings.simplefilter("ignore", DeprecationWarning)
depth = 0
for _ in range(3):
    call("/" + str(depth))
    pid = os.fork()
    if pid:
        break
    depth += 1
call("/" + str(depth))
if pid:
"""
            + JOIN.replace("\n", "\n    "),
            server.url,
        )
        assert Counter(server.paths()) == {"/0": 8, "/1": 8, "/2": 8, "/3": 4}
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 4)


def test_a_fork_inside_a_running_loop(program):
    """The child of a running loop makes a mailbox of its own."""
    with ScriptedServer() as server:
        ended = program.run(
            """
warnings.simplefilter("ignore", DeprecationWarning)
client = firstbyte.AsyncAdminClient(sys.argv[1])
async def main():
    await client.post("/before")
    pid = os.fork()
    path = "/child" if pid == 0 else "/parent"
    if pid == 0:
        # asyncio does not let a child use its parent's loop.
        asyncio.events._set_running_loop(None)
        asyncio.run(late(path))
        os._exit(0)
    await client.post(path)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
async def late(path):
    assert (await client.post(path)).status == 200
    firstbyte.shutdown()
asyncio.run(main())
""",
            server.url,
        )
        assert Counter(server.paths()) == {"/before": 1, "/parent": 1, "/child": 1}
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 2)


@pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing(program, method, used):
    with ScriptedServer() as server:
        ended = program.run(
            """
warnings.simplefilter("ignore", DeprecationWarning)
def call(url, path):
    for kept in (None, 1):
        assert firstbyte.AdminClient(url, max_connections=kept).post(path).status == 200
    with firstbyte.step(1): pass

if __name__ == "__main__":
    url, method, used = sys.argv[1:]
    if used == "True":
        call(url, "/before")
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=call, args=(url, "/child")) for _ in range(2)]
    [process.start() for process in processes]
    call(url, "/parent")
    [process.join() for process in processes]
    assert [process.exitcode for process in processes] == [0, 0]
""",
            server.url,
            method,
            str(used),
        )
        assert Counter(server.paths()) == {"/parent": 2, "/child": 4} | ({"/before": 2} if used else {})
    assert (ended.returncode, ended.err) == (0, "")
    check_forked(program, 3)
    assert program.counts()["step.done"] == 3 + used


def test_a_child_of_multiprocessing_that_fails(program):
    ended = program.run(
        """
warnings.simplefilter("ignore", DeprecationWarning)
def work():
    with firstbyte.step(2): pass
    sys.exit(4)

if __name__ == "__main__":
    with firstbyte.step(1): pass
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 4, process.exitcode
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    program.check_laws(processes=2)
    assert program.counts()["step.done"] == 2


def test_a_pool_of_processes(program):
    ended = program.run(
        """
from concurrent.futures import ProcessPoolExecutor
warnings.simplefilter("ignore", DeprecationWarning)
def work(n):
    with firstbyte.step(n): pass
    return n

if __name__ == "__main__":
    with firstbyte.step(-1): pass
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert sum(pool.map(work, range(20))) == 190
"""
    )
    assert (ended.returncode, ended.err) == (0, "")
    assert program.counts()["step.done"] == 21
    program.check_laws(processes=program.counts()["process.start"])


def test_a_child_that_runs_another_program(program):
    ended = program.run(
        """
import subprocess
with firstbyte.step(1): pass
code = "import firstbyte\\nwith firstbyte.step(2): pass"
assert subprocess.run([sys.executable, "-c", code]).returncode == 0
assert subprocess.run(["true"], preexec_fn=lambda: None).returncode == 0
""",
        flags=["-W", "ignore::DeprecationWarning"],
    )
    assert (ended.returncode, ended.err) == (0, "")
    program.check_laws(processes=2)


def test_a_logging_parent_has_a_logging_child(program):
    ended = program.run(
        """
warnings.simplefilter("ignore", DeprecationWarning)
logging.basicConfig(format="%(process)d %(message)s", stream=sys.stdout)
with firstbyte.step(1): pass
assert firstbyte.flush()
pid = os.fork()
with firstbyte.step(2): pass
if pid == 0:
    sys.exit(0)
"""
        + JOIN,
        FIRSTBYTE_LOG=None,
    )
    assert (ended.returncode, ended.err) == (0, "")
    lines = [line.split(" ", 1) for line in ended.out.splitlines()]
    pids = Counter(pid for pid, line in lines if "step=2" in line)
    assert sorted(pids.values()) == [1, 1]
    assert sum("process.end" in line for _, line in lines) == 2


def test_forks_while_the_writer_logs(program):
    ended = program.run(
        """
warnings.simplefilter("ignore", DeprecationWarning)
def log():
    while not stop.is_set():
        with firstbyte.step(1): pass
        time.sleep(0.001)
stop = threading.Event()
thread = threading.Thread(target=log)
thread.start()
for n in range(30):
    pid = os.fork()
    if pid == 0:
        with firstbyte.step(2): pass
        firstbyte.shutdown(5)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
stop.set()
thread.join()
""",
        FIRSTBYTE_LOG=None,
    )
    assert ended.returncode == 0
    assert ended.err.count("step.done step=2") == 30
    assert ended.err.count("process.end") == 31


@pytest.mark.parametrize("steps", [0, 30, 100, 300, 1000])
def test_a_fork_while_another_thread_makes_the_recorder(program, steps):
    """Threads take turns often, and the fork comes later each time: somewhere in between."""
    ended = program.run(
        """
warnings.simplefilter("ignore", DeprecationWarning)
sys.setswitchinterval(1e-6)
def log():
    with firstbyte.step(1): pass
thread = threading.Thread(target=log)
thread.start()
for _ in range(int(sys.argv[1])): pass
pid = os.fork()
if pid == 0:
    with firstbyte.step(2): pass
    firstbyte.shutdown(5)
    os._exit(0)
os.waitpid(pid, 0)
thread.join()
""",
        str(steps),
        FIRSTBYTE_LOG=None,
    )
    assert ended.returncode == 0
    assert ended.err.count("step.done step=2") == 1


def test_the_server_sees_the_child_of_a_dead_parent(program):
    """The end of the parent does not close what the child has."""

    def play(exchange):
        if exchange.request.path == "/child":
            answer(delay=0.5)(exchange)
        else:
            raise Disconnected

    with ScriptedServer(play) as server:
        process = program.start(
            """
warnings.simplefilter("ignore", DeprecationWarning)
client = firstbyte.AdminClient(sys.argv[1], max_connections=1)
with firstbyte.step(1): pass
if os.fork() == 0:
    assert client.post("/child").status == 200
""",
            server.url,
        )
        ended = program.end(process)
        server.wait_for(1)
        deadline = time.monotonic() + 10
        while program.counts()["process.end"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert ended.returncode == 0
    check_forked(program, 2)
    assert program.counts()["client.done"] == 1
