#!/usr/bin/env python3
"""Trains LightGBM, XGBoost, a random forest, histogram boosting and our binary on the same rows, in turns, on the same cores, and
writes docs/benchmarks.md.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/requirements.txt
    cargo build --release && cargo bench -p snake --bench figures
    VENV/bin/python bench/compare.py --quick     # about a minute, into the work folder
    VENV/bin/python bench/compare.py             # everything, half an hour on a quiet machine

The data is not in the repository: `--shared` says where it is.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import ours
import process
import report
import sets

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
OTHERS = ("lightgbm", "xgboost", "forest", "histogram")
LEARNERS = (*OTHERS, "ours")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="folder with data/ and tools/ (%(default)s)")
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "bench-compare", help="folder for tables, models and results")
    parser.add_argument("--binary", type=Path, default=BUILT / "release" / "opendipaco")
    parser.add_argument("--out", type=Path, help="the page to write (docs/benchmarks.md; with --quick or --sets, benchmarks.md in the work folder)")
    parser.add_argument("--quick", action="store_true", help="small tables only, two rounds, no growth")
    parser.add_argument("--sets", help="only these, by name: " + ",".join(t.name for t in sets.TABLES) + ",growth")
    parser.add_argument("--learners", default=",".join(LEARNERS), help="%(default)s")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="for every table (default: the table's, else 1)")
    parser.add_argument("--rounds", type=int, help="at most so many")
    parser.add_argument("--covertype-rows", type=int, default=100_000, help="0 is all (%(default)s)")
    parser.add_argument("--set-seconds", type=float, default=75, help="no further round of a table after so long (%(default)s)")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a process is stopped (%(default)s)")
    parser.add_argument("--no-growth", action="store_true", help="do not measure how training time grows with rows")
    parser.add_argument("--growth-rows", type=int, default=1_600_000, help="the largest table of that (%(default)s)")
    parser.add_argument("--report-only", action="store_true", help="write the page again from the results in the work folder")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def chosen_tables(args):
    tables = sets.TABLES
    if args.sets:
        wanted = args.sets.split(",")
        unknown = set(wanted) - {table.name for table in tables} - {"growth"}
        if unknown:
            sys.exit(f"compare.py: no such table: {', '.join(sorted(unknown))}")
        tables = [table for table in tables if table.name in wanted]
    elif args.quick:
        tables = [table for table in tables if table.quick]
    changed = []
    for table in tables:
        fields = table.asdict()
        if table.name == "covertype" and args.covertype_rows != table.rows:
            rows = f"{args.covertype_rows:,} rows by chance" if args.covertype_rows else "all rows"
            fields.update(rows=args.covertype_rows, about=f"Covertype, {rows}")
        if args.quick:
            fields.update(predict_rows=min(table.predict_rows, 20_000))
        changed.append(sets.Table(**fields))
    return changed


def missing(table, shared):
    """What a table needs and is not there, or nothing."""
    needs = [Path("tools/make_tables.py")] if table.kind else [Path("data") / f for f in (table.file, table.test_file) if f]
    absent = [str(need) for need in needs if not (shared / need).exists()]
    return f"not measured: {', '.join(absent)} is not in the folder of --shared" if absent else None


def prepared(table, args):
    """The folder of a table's files, and what is known of them. Made once."""
    folder = args.work / "tables" / table.name
    known = folder / "meta.json"
    if known.exists():
        meta = json.loads(known.read_text())
        if meta["table"] == json.loads(json.dumps(table.asdict())):
            return folder, meta
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    job = folder / "job.json"
    job.write_text(json.dumps({"table": table.asdict(), "shared": str(args.shared), "out": str(folder)}))
    process.run([sys.executable, HERE / "prepare.py", job], folder, 1, args.limit)
    return folder, json.loads(known.read_text())


def measure_other(learner, table, folder, meta, threads, limit, first):
    job = {"learner": learner, "task": table.task, "target": table.target, "kinds": meta["columns"], "threads": threads,
           "train": str(folder / "train.csv"), "started": time.monotonic()}
    if table.predict_rows:
        job["many"] = str(folder / "many.csv")
        if first:
            job["test"] = str(folder / "test.csv")
    place = folder / "learn.json"
    place.write_text(json.dumps(job))
    ended = process.run([sys.executable, HERE / "learn.py", place], folder, threads, limit)
    return json.loads(ended.out.strip().splitlines()[-1])


def medians(runs):
    """One set of figures from those of several rounds: medians of numbers, the first of what is measured once."""
    merged = {}
    for key in dict.fromkeys(key for run in runs for key in run):
        values = [run[key] for run in runs if run.get(key) is not None]
        if values and all(isinstance(value, dict) for value in values) and key not in ("quality", "fit", "settings"):
            merged[key] = medians(values)
        elif values and isinstance(values[0], (int, float)):
            merged[key] = statistics.median(values)
        else:
            merged[key] = values[0] if values else None
    if runs and isinstance(runs[0].get("train"), float):
        merged["train_lowest"] = min(run["train"] for run in runs)
    return merged


def contenders(table, learners, binary):
    """Who takes part, by the name in the tables: another learner, or settings of ours."""
    found = {name: None for name in OTHERS if name in learners}
    if "ours" in learners and binary:
        for name in ("speed", "defaults") if table.predict_rows else ("speed",):
            found[f"ours-{name}"] = dict(ours.SETTINGS[name])
        if table.more_layers:
            found["ours-more"] = {**ours.SETTINGS["more"], "layers": table.more_layers}
    return found


def measure(table, args, learners, binary, rounds):
    """All rounds of a table."""
    result = {"table": table.asdict(), "learners": {}}
    reason = missing(table, args.shared)
    if reason:
        return {**result, "reason": reason}
    try:
        folder, meta = prepared(table, args)
    except (process.Failed, OSError) as error:
        return {**result, "reason": f"not measured: {error}"}
    result["meta"] = {key: value for key, value in meta.items() if key != "table"}
    threads = args.threads or table.threads or 1
    result["threads"] = threads
    who = contenders(table, learners, binary)
    runs, reasons = {name: [] for name in who}, {}
    start = time.monotonic()
    for number in range(rounds):
        names = list(who)
        names = names[number % len(names):] + names[:number % len(names)]
        for name in names:
            if name in table.without:
                reasons[name] = table.without[name]
            if name in reasons:
                continue
            try:
                if who[name] is None:
                    run = measure_other(name, table, folder, meta, threads, args.limit, number == 0)
                else:
                    with_quality = number == 0 and table.predict_rows > 0
                    run = ours.measure(binary, table, folder, who[name], threads, args.limit, with_quality)
                runs[name].append(run)
                train = run.get("train")
                told = f"{train:.3f} s" if train is not None else "no timings"
                say(f"  {table.name} round {number + 1} {name}: {told}, whole {run['whole']:.2f} s")
            except (process.Failed, OSError, ValueError, KeyError) as error:
                reasons[name] = f"failed: {error}"
                say(f"  {table.name} {name}: {error}")
        result["rounds"] = number + 1
        if time.monotonic() - start > (table.seconds or args.set_seconds):
            break
    for name in who:
        result["learners"][name] = {**medians(runs[name]), "reason": reasons.get(name)}
    return result


def criterion():
    """Medians of `cargo bench -p snake --bench figures`, in seconds, where it was run."""
    found = {}
    for place in sorted((BUILT / "criterion" / "figures").glob("*/new/*.json")):
        if place.name == "estimates.json":
            name = json.loads((place.parent / "benchmark.json").read_text())["function_id"]
            found[name] = json.loads(place.read_text())["median"]["point_estimate"] / 1e9
    return found


def busy():
    """The share of the cores that others use now, over a second; None where the system doesn't say."""
    def read():
        values = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]

    try:
        whole, idle = read()
        time.sleep(1)
        whole_after, idle_after = read()
        return 1 - (idle_after - idle) / max(1, whole_after - whole)
    except (OSError, ValueError, IndexError):
        return None


def words_without_paths():
    """The options of this run, as they can be repeated elsewhere."""
    words, left_out = [], False
    for word in sys.argv[1:]:
        if word.split("=")[0] in ("--shared", "--work", "--binary", "--out"):
            left_out = "=" not in word
        elif left_out:
            left_out = False
        else:
            words.append(word)
    return words


def system():
    """What is run and where."""
    try:
        installed = json.loads(subprocess.run([sys.executable, HERE / "learn.py", "versions"], capture_output=True,
                                              text=True, check=True).stdout)
    except (subprocess.CalledProcessError, ValueError):
        installed = {}
    memory = None
    if Path("/proc/meminfo").exists():
        memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {"date": datetime.date.today().isoformat(), "versions": installed, "cores": len(process.cores(99) or []) or os.cpu_count(),
            "memory": memory, "commit": commit.stdout.strip(), "words": words_without_paths(), "busy": busy()}


def main():
    args = arguments()
    # Being asked to end leaves through the code that ends the child too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compare.py: stopped"))
    args.shared, args.work = args.shared.resolve(), args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    part = args.quick or args.sets
    out = args.out or (args.work / "benchmarks.md" if part else ROOT / "docs" / "benchmarks.md")
    place = args.work / ("results-part.json" if part else "results.json")
    if args.report_only:
        out.write_text(report.page(json.loads(place.read_text())))
        return
    learners = args.learners.split(",")
    unknown = set(learners) - set(LEARNERS)
    if unknown:
        sys.exit(f"compare.py: no such learner: {', '.join(sorted(unknown))}")
    begin = time.monotonic()
    results = {"system": system(), "criterion": criterion(), "tables": [], "growth": []}
    binary = None
    try:
        binary = ours.Binary(args.binary.resolve())
        results["system"]["binary"] = binary.version
    except (OSError, subprocess.CalledProcessError) as error:
        results["system"]["binary"] = None
        say(f"our binary can't be run ({error}): build it with `cargo build --release`, or say where it is with --binary")

    def keep():
        results["system"]["minutes"] = (time.monotonic() - begin) / 60
        place.write_text(json.dumps(results, indent=1))
        out.write_text(report.page(results))

    tables = chosen_tables(args)
    for table in tables:
        rounds = min(table.rounds, args.rounds or table.rounds, 2 if args.quick else table.rounds)
        say(f"{table.name}: {table.about}")
        results["tables"].append(measure(table, args, learners, binary, rounds))
        keep()
    if "growth" in (args.sets or "").split(",") if part else not args.no_growth:
        for table in sets.GROWTH:
            if table.rows > args.growth_rows:
                continue
            say(f"growth: {table.rows} rows")
            args.threads = 1
            some = [name for name in ("lightgbm", "ours") if name in learners]
            results["growth"].append(measure(table, args, some, binary, min(3, args.rounds or 3)))
            keep()
    keep()
    say(f"{out}: written after {results['system']['minutes']:.1f} minutes")


if __name__ == "__main__":
    main()
