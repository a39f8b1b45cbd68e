"""Times of a volunteer's life, with real processes on loopback: standard library only.

    python3 bench/volunteer.py [--program target/release/opendipaco] [--rounds 5]

* first lease: from the start of `join` to its first `training`
* handing over: from SIGTERM of one volunteer to the `training` of another that takes its unit up; and to the end of the first
* a hundred units: `join --threads 1` against `train --threads 1`, in turns, each on one core
"""

import argparse
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import time


class Process:
    """The program with `--json`; its events with the time at which they came."""

    def __init__(self, folder, words, core=None):
        self.folder, self.start = folder, time.monotonic()
        pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
        self.process = subprocess.Popen(
            [PROGRAM, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, preexec_fn=pin,
        )

    def expect(self, name, **fields):
        """The event and the seconds since the start of the process."""
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == name and all(event[key] == value for key, value in fields.items()):
                return event, time.monotonic() - self.start
        raise SystemExit(f"it ended without {name}")

    def end(self):
        """The seconds from its start to its end; `cpu` is its processor time."""
        self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            raise SystemExit("it did not end well")
        self.cpu = usage.ru_utime + usage.ru_stime
        return time.monotonic() - self.start

    def kill(self):
        self.process.kill()
        self.process.wait()


class Run:
    def __init__(self, folder, rows, settings):
        self.folder, self.volunteers = folder, 0
        draw = random.Random(3)
        lines = [",".join([f"f{i}" for i in range(12)] + ["class"])]
        for _ in range(rows):
            lines.append(",".join([str(draw.randrange(3)) for _ in range(12)] + [draw.choice("abc")]))
        (folder / "data.csv").write_text("\n".join(lines) + "\n")
        source = 'name = "timed"\n[source]\nlocations = ["data.csv"]\ntarget = "class"\n'
        (folder / "run.toml").write_text(source + settings)
        subprocess.run([PROGRAM, "publish", "run.toml", "--key", "operator.pem"], cwd=folder, check=True, capture_output=True)

    def coordinator(self, core=None):
        peer = Process(self.folder, [
            "coordinate", "timed.manifest", "--key", "operator.pem", "--data-dir", f"coordinator-{self.volunteers}", "--json",
            "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0", "--source", "data.csv"], core)
        address = peer.expect("listening")[0]["address"]
        # A coordinator that still checks its source has no time for others.
        peer.expect("source_checked")
        return peer, address

    def join(self, address, core=None, more=()):
        self.volunteers += 1
        return Process(self.folder, [
            "join", "--bootstrap", address, "--json", "--no-mdns", "--yes", "--threads", "1", "--listen",
            "/ip4/127.0.0.1/tcp/0", "--data-dir", f"volunteer-{self.volunteers}", "--source", "data.csv", *more], core)


def say(what, seconds):
    values = ", ".join(f"{value:.3f}" for value in seconds)
    print(f"{what}: median {statistics.median(seconds):.3f} s ({values})", flush=True)


def one_unit(rounds):
    with tempfile.TemporaryDirectory() as folder:
        settings = '[routing]\nkind = "round_robin"\npaths = 1\n[training]\nlayers = 1\nlookahead = 2000\n'
        run = Run(pathlib.Path(folder), 20_000, settings)
        coordinator, address = run.coordinator()
        first, named, taken, gone = [], [], [], []
        try:
            for more, times in [((), first), (("--run", "timed"), named)]:
                for _ in range(rounds):
                    peer = run.join(address, more=more)
                    times.append(peer.expect("training")[1])
                    peer.process.send_signal(signal.SIGTERM)
                    peer.end()
            for _ in range(rounds):
                one = run.join(address)
                key = one.expect("started")[0]["key"]
                one.expect("training")
                other = run.join(address)
                other.expect("claim_heard", peer=key)
                asked = time.monotonic()
                one.process.send_signal(signal.SIGTERM)
                other.expect("training")
                taken.append(time.monotonic() - asked)
                one.end()
                gone.append(time.monotonic() - asked)
                other.process.send_signal(signal.SIGTERM)
                other.end()
        finally:
            coordinator.kill()
        say("start of join to first training", first)
        say("the same with --run", named)
        say("SIGTERM to training by another", taken)
        say("SIGTERM to the end of the process", gone)


def hundred(rounds, rows):
    with tempfile.TemporaryDirectory() as folder:
        settings = '[routing]\nkind = "round_robin"\npaths = 4\n[training]\nlayers = 25\nlookahead = 200\n'
        run = Run(pathlib.Path(folder), rows, settings)
        alone, joined, idle, ratios, processor = [], [], [], [], []
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
        for _ in range(rounds):
            train = Process(run.folder, ["train", "run.toml", "--threads", "1"], cores[0])
            alone.append(train.end())
            coordinator, address = run.coordinator(cores[-1])
            peer = run.join(address, cores[0])
            began, busy = peer.expect("training")[1], 0
            for _ in range(100):
                event, worked = peer.expect("trained")
                busy += event["seconds"]
            idle.append((worked - began - busy) / (worked - began))
            joined.append(peer.end())
            coordinator.end()
            ratios.append(joined[-1] / alone[-1])
            processor.append(peer.cpu / train.cpu)
        say("train --threads 1, 100 units", alone)
        say("join --threads 1, 100 units, start to end", joined)
        for what, values in [("join to train", ratios), ("the same in processor time", processor),
                             ("of the time from first to last unit spent between units", idle)]:
            print(f"{what}: median {statistics.median(values):.3f} ({', '.join(f'{v:.3f}' for v in values)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/opendipaco")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=12_000, help="of the table with a hundred units")
    parser.add_argument("--only-units", action="store_true", help="a hundred units, nothing else")
    args = parser.parse_args()
    PROGRAM = str(pathlib.Path(args.program).resolve())
    if not args.only_units:
        one_unit(args.rounds)
    hundred(max(3, args.rounds - 2), args.rows)
