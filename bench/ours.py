"""Our binary on one table. Standard library only."""

import json
import subprocess
import sys
from pathlib import Path

import process

HERE = Path(__file__).parent

# Speed figures are for lookahead 5 and noise 0.25, quality figures for the defaults.
SETTINGS = {
    "speed": {"layers": 5, "lookahead": 5, "noise": 0.25},
    "defaults": {"layers": 5},
    "more": {},
}


class Binary:
    """The program, and which of its later options it has."""

    def __init__(self, path):
        self.path = path
        self.version = self.says("--version").strip()
        self.helps = {command: self.says(command, "--help") for command in ("train", "predict")}

    def says(self, *words):
        return subprocess.run([self.path, *words], capture_output=True, text=True, check=True).stdout

    def options(self, command, threads):
        options = []
        if "--threads" in self.helps[command]:
            options += ["--threads", str(threads)]
        if "--timings" in self.helps[command]:
            options += ["--timings"]
        return options


def timings(text):
    """The line of --timings, or nothing from a binary without it."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return {"seconds": {}}


def run_file(folder, table, settings):
    path = folder / "run.toml"
    keys = "".join(f"{name} = {value}\n" for name, value in settings.items())
    path.write_text(f'name = "bench"\n[source]\nlocations = ["train.csv"]\ntarget = "{table.target}"\n'
                    f'target_type = "{table.task}"\n[routing]\npaths = 1\n[training]\n{keys}')
    return path


def measure(binary, table, folder, settings, threads, limit, with_quality):
    """Trains and predicts; with quality, measures on the test rows and looks for the perfect fit. Raises process.Failed."""
    model = folder / "model.json"
    trained = process.run(
        [binary.path, "train", run_file(folder, table, settings), "--out", model, *binary.options("train", threads)],
        folder, threads, limit)
    told = timings(trained.err)
    figures = {"train": told["seconds"].get("training"), "phases": told["seconds"], "whole": trained.seconds,
               "whole_cpu": trained.cpu, "memory": told.get("peak_memory_trained") or trained.memory,
               "memory_whole": trained.memory, "model_bytes": model.stat().st_size, "settings": settings}

    def predict(rows, to, threads):
        return process.run([binary.path, "predict", model, folder / rows, "--format", "csv",
                            *binary.options("predict", threads)], folder, threads, limit, folder / to)

    try:
        if table.predict_rows:
            rows = json.loads((folder / "meta.json").read_text())["predict_rows"]
            predicted = predict("many.csv", "many_predicted.csv", threads)
            seconds = timings(predicted.err)["seconds"].get("predicting")
            figures["predict"] = rows / seconds if seconds else None
            figures["predict_whole"] = rows / predicted.seconds
            figures["predict_phases"] = timings(predicted.err)["seconds"]
            figures["predict_memory"] = predicted.memory
        if with_quality:
            every = len(process.cores(99) or [0])
            job = {"target": table.target, "task": table.task}
            for part in ("test", "train") if table.predict_rows else ("train",):
                job[part] = str(folder / f"{part}.csv")
                job[f"{part}_predictions"] = str(folder / f"{part}_predicted.csv")
                predict(f"{part}.csv", f"{part}_predicted.csv", every)
            place = folder / "quality.json"
            place.write_text(json.dumps(job))
            scored = process.run([sys.executable, HERE / "quality.py", place], folder, every, limit)
            figures.update(json.loads(scored.out))
    finally:
        for name in ("model.json", "many_predicted.csv", "test_predicted.csv", "train_predicted.csv"):
            (folder / name).unlink(missing_ok=True)
    return figures
