"""What a codec's process can do to itself, to its neighbours and to the machine."""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import math
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEBIBYTE = 1 << 20


def _in_child(action: Callable[[], Any]) -> None:
    if os.fork() == 0:
        try:
            action()
        finally:
            os._exit(0)


def _sleep() -> None:
    time.sleep(10_000)


def _eat(mebibytes: int) -> None:
    eaten = []
    for _ in range(mebibytes // 32):
        eaten.append(b"x" * (32 * MEBIBYTE))
        time.sleep(0.005)
    _sleep()


def _daemon(action: Callable[[], Any]) -> None:
    """Run an action in a session of its own, after its parent has ended."""

    def inner() -> None:
        os.setsid()
        _in_child(action)

    _in_child(inner)
    os.wait()


def segfault(_: Any) -> None:
    ctypes.string_at(0)


def abort(_: Any) -> None:
    os.abort()


def kill_itself(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop_itself(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def exit_at_once(_: Any) -> None:
    os._exit(0)


def overflow_the_stack(_: Any) -> None:
    sys.setrecursionlimit(10**9)
    threading.stack_size(0)
    nested: Any = []
    for _number in range(10**6):
        nested = [nested]
    repr(nested)


def hang(_: Any) -> None:
    signal.pause()


def hang_in_c(_: Any) -> None:
    ctypes.PyDLL(None).sleep(10_000)


def spin(_: Any) -> None:
    while True:
        pass


def hang_deaf(_: Any) -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def eat_memory(_: Any) -> None:
    _eat(8192)


def eat_memory_in_child(_: Any) -> None:
    _in_child(lambda: _eat(8192))
    _sleep()


def eat_memory_in_daemon(_: Any) -> None:
    _daemon(lambda: _eat(8192))
    _sleep()


def eat_memory_in_thread_of_child(_: Any) -> None:
    thread = threading.Thread(target=lambda: (_in_child(lambda: _eat(8192)), _sleep()))
    thread.start()
    _sleep()


def child(_: Any) -> None:
    _in_child(_sleep)


def daemon(_: Any) -> None:
    _daemon(_sleep)


def daemon_then_exit(_: Any) -> None:
    _daemon(_sleep)
    os._exit(0)


def daemon_then_crash(_: Any) -> None:
    _daemon(_sleep)
    os.kill(os.getpid(), signal.SIGSEGV)


def many_daemons(_: Any) -> None:
    for _number in range(35):
        _daemon(_sleep)


def deaf_daemon(_: Any) -> None:
    _daemon(lambda: hang_deaf(None))


def spinning_daemon(_: Any) -> None:
    _daemon(lambda: spin(None))


def shell_in_background(_: Any) -> None:
    subprocess.Popen("setsid sleep 10000 & nohup sleep 10000 >/dev/null 2>&1 &", shell=True)  # noqa: S602


def without_environment(_: Any) -> None:
    subprocess.Popen(["sleep", "10000"], env={}, start_new_session=True)


def restless_daemon(_: Any) -> None:
    """A process that is always another one."""

    def flee() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
            time.sleep(0.001)

    _daemon(flee)


def small_fork_bomb(_: Any) -> None:
    """256 processes."""
    for _number in range(8):
        os.fork()
    _sleep()


def kill_its_parent(_: Any) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    _sleep()


def stop_its_parent(_: Any) -> None:
    os.kill(os.getppid(), signal.SIGSTOP)


def outlive_its_parent(_: Any) -> None:
    ctypes.CDLL(None).prctl(1, 0)
    _daemon(_sleep)
    os.kill(os.getppid(), signal.SIGKILL)
    _sleep()


def kill_its_group(_: Any) -> None:
    os.killpg(0, signal.SIGKILL)


def close_descriptors(_: Any) -> None:
    os.closerange(0, 1024)


def exhaust_descriptors(_: Any) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    while True:
        os.open("/dev/null", os.O_RDONLY)


def limit_itself(_: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (64 * MEBIBYTE, 64 * MEBIBYTE))


def fill_its_log(_: Any) -> None:
    line = b"progress " * 100_000
    for _number in range(200):
        os.write(1, line)


def binary_log(_: Any) -> None:
    os.write(1, bytes(range(256)) * 100)
    os.write(2, b"\x1b[2J\xff\xfe")


def close_python_streams(_: Any) -> None:
    sys.stdout.close()
    sys.stderr = None
    raise ValueError("without a place to print it")


def change_folder(_: Any) -> None:
    os.chdir("/")


def clear_environment(_: Any) -> None:
    os.environ.clear()


def change_mask(_: Any) -> None:
    os.umask(0o777)
    Path("unreadable").write_text("file")


def litter(_: Any) -> None:
    if Path("link").is_symlink():
        return
    Path("link").symlink_to("/etc")
    os.mkfifo("fifo")
    deep = Path("deep/" + "x/" * 100)
    deep.mkdir(parents=True)
    (deep / ("n" * 255)).write_text("file")
    Path(os.fsdecode(b"\xff\x1b")).write_text("file")
    locked = Path("locked")
    locked.mkdir()
    (locked / "file").write_text("file")
    locked.chmod(0)


def remove_its_folder(_: Any) -> None:
    subprocess.run("rm -rf .. 2>/dev/null", shell=True, check=False)  # noqa: S602


def replace_its_folder(_: Any) -> None:
    here = Path.cwd()
    here.rename(here.with_name("moved"))
    here.symlink_to("/etc")


def clock_of_text(_: Any) -> None:
    time.perf_counter = lambda: "now"


def clock_backwards(_: Any) -> None:
    times = iter(range(10**9, 0, -1))
    time.perf_counter = lambda: float(next(times))


def clock_not_a_number(_: Any) -> None:
    time.perf_counter = lambda: math.nan


def clock_of_centuries(_: Any) -> None:
    times = iter(range(0, 10**18, 10**10))
    time.perf_counter = lambda: float(next(times))


def clock_stopped(_: Any) -> None:
    time.monotonic = time.perf_counter = lambda: 0.0


def break_json(_: Any) -> None:
    json.dumps = lambda *_, **__: "]["


def break_struct(_: Any) -> None:
    struct.Struct.pack = None


def forget_modules(_: Any) -> None:
    sys.modules.clear()


def collect_everything(_: Any) -> None:
    for one in gc.get_objects():
        if isinstance(one, dict) and "harness" in str(one.get("__name__", "")):
            one.clear()


def thread_outlives(_: Any) -> None:
    threading.Thread(target=_sleep).start()


def exit_handler_hangs(_: Any) -> None:
    atexit.register(_sleep)


def exit_handler_hangs_then_exit(_: Any) -> None:
    atexit.register(_sleep)
    sys.exit(0)


def alarm(_: Any) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.2)


def without_reaping(_: Any) -> None:
    for _number in range(50):
        if os.fork() == 0:
            os._exit(0)
