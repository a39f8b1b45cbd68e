"""Times of a volunteer's life, with real processes on loopback: standard library only.

    python3 bench/volunteer.py [--program target/release/opendipaco] [--rounds 5] [--only-units] [--rows 12000]

* first lease: from the start of `join` to its first `training`
* handing over: from SIGTERM of one volunteer to the `training` of another that takes its unit up; and to the end of the first
* a hundred units: `join --threads 1` from its start to its end against `train --threads 1`, in turns, each pinned to the first
  core with all its threads. The coordinator, which in life is another machine, has the last core, and so has this script.
  Where the system can't pin (no Linux), or has one core, it says so. A machine with other work disturbs the times by the clock:
  the least of several turns says most, and processor time next to it.
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
    print(f"{what}: least {min(seconds):.3f}, median {statistics.median(seconds):.3f} s ({values})", flush=True)


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


def pinned():
    """A core for who is measured and another for everybody else; `None`: not pinned."""
    if not hasattr(os, "sched_setaffinity"):
        print("this system can't pin processes to cores: the coordinator and this script disturb what is measured")
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        print("one core for all: the coordinator and this script disturb what is measured")
    else:
        print(f"train and join on core {cores[0]}, the coordinator and this script on core {cores[-1]}")
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0], cores[-1]


def hundred(rounds, rows):
    measured, others = pinned()
    with tempfile.TemporaryDirectory() as folder:
        settings = '[routing]\nkind = "round_robin"\npaths = 4\n[training]\nlayers = 25\nlookahead = 200\n'
        run = Run(pathlib.Path(folder), rows, settings)
        alone, joined, begun, idle, ended, ratios, processor = [], [], [], [], [], [], []
        for _ in range(rounds):
            train = Process(run.folder, ["train", "run.toml", "--threads", "1"], measured)
            alone.append(train.end())
            coordinator, address = run.coordinator(others)
            peer = run.join(address, measured)
            begun.append(peer.expect("training")[1])
            busy = 0
            for _ in range(100):
                event, worked = peer.expect("trained")
                busy += event["seconds"]
            # A report is put away while the next unit is trained: only the last one's time is in here.
            idle.append(worked - begun[-1] - busy)
            joined.append(peer.end())
            coordinator.end()
            ended.append(joined[-1] - worked)
            ratios.append(joined[-1] / alone[-1])
            processor.append(peer.cpu / train.cpu)
        print(f"{rows} rows, 100 units of {min(alone) / 100:.3f} s")
        say("train --threads 1, 100 units", alone)
        say("join --threads 1, 100 units, start to end", joined)
        say("of it to the first unit", begun)
        say("of it between units, all of them", idle)
        say("of it from the last unit to the end", ended)
        for what, values in [("join to train", ratios), ("the same in processor time", processor)]:
            listed = ", ".join(f"{value:.3f}" for value in values)
            print(f"{what}: least {min(values):.3f}, median {statistics.median(values):.3f} ({listed})")
        print(f"the least of join to the least of train: {min(joined) / min(alone):.3f}", flush=True)


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
    hundred(args.rounds, args.rows)
