"""Runs a process on given cores and says what it took. Standard library only."""

import os
import subprocess
import threading
import time


class Failed(Exception):
    """A process that did not end well: the reason, in a line."""


class Ended:
    def __init__(self, seconds, usage, out, err):
        self.seconds = seconds
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss * 1024
        self.out, self.err = out, err


def cores(threads):
    """The first cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return sorted(os.sched_getaffinity(0))[:threads]


def run(command, folder, threads, limit, out=None):
    """Runs `command` on as many cores as `threads`, for at most `limit` seconds. Its output goes through files, so that nothing
    here competes with it; `out` names a file that is to keep its standard output.

    Raises Failed.
    """
    stdout, stderr = out or folder / "stdout", folder / "stderr"
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        environment[name] = str(threads)
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    late = threading.Event()
    with open(stdout, "wb") as to_out, open(stderr, "wb") as to_err:
        try:
            if before:
                os.sched_setaffinity(0, cores(threads))  # children have it from their parent
            start = time.monotonic()
            child = subprocess.Popen([str(part) for part in command], stdout=to_out, stderr=to_err, env=environment)
        finally:
            if before:
                os.sched_setaffinity(0, before)

        def stop():
            late.set()
            child.kill()

        timer = threading.Timer(limit, stop)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.monotonic() - start
        except BaseException:
            child.kill()
            raise
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
    err = stderr.read_text(errors="replace")
    if late.is_set():
        raise Failed(f"stopped after {limit:.0f} s")
    if child.returncode != 0:
        lines = err.strip().splitlines() or [f"ended with {child.returncode}"]
        raise Failed(lines[-1][:200])
    return Ended(seconds, usage, "" if out else stdout.read_text(), err)
