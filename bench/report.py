"""The page: tables from results, and the words between them. Standard library only."""

import math

NAMES = {
    "lightgbm": "LightGBM", "xgboost": "XGBoost", "forest": "random forest", "histogram": "histogram boosting",
    "ours-speed": "**ours**, 5 layers, lookahead 5, noise 0.25", "ours-defaults": "**ours**, 5 layers, defaults",
}

HEAD = """# Benchmarks

Written by `bench/compare.py`; change that, not this page. [performance.md](performance.md) says where the time goes and how to
run it.

LightGBM, XGBoost, scikit-learn's random forest and histogram boosting, and `opendipaco train` learn the same rows of the same CSV
files, in turns, round after round, each in a process of its own that is pinned to the same cores. Times and memory are medians
over the rounds. Every learner has its defaults (100 trees, where that is not the default) and no tuning.
"""

NOTES = """## What the columns mean

* **training**: the learner's own call, its table loaded and its model not yet written. For the others `fit`, from a data frame or
  matrix, which includes their binning. For ours the phase `training` of `opendipaco train --timings`, from the table in memory to
  trained buckets, which includes what is counted once per column.
* **whole**: the process from its start until the model is there. The others: starting Python, imports, reading and encoding the CSV,
  `fit`; nothing is written. Ours: three passes over the CSV to publish and to make the shard, training, two more to assemble, and
  writing `model.json` with the training rows in it.
* **peak memory**: the highest resident memory of the process until training ended; loading is in it, writing and predicting are
  not. That of Python with its packages is about 100 to 200 MB.
* **prediction**: rows of the test part, repeated until they are enough. The others: `predict_proba` or `predict` on an encoded table
  in memory, one call. Ours: the phase `predicting` of `opendipaco predict --timings`, that is, batches of rows that are read; the
  whole process, with reading model and CSV and printing, stands in the table of phases.
* **x** is the ratio to LightGBM's figure in the same row group.
* **accuracy, AUROC, log loss** (R2, RMSE, MAE for numbers) are computed by one function for all, on the test rows. AUROC is one class
  against the rest, the mean over the classes that occur. A vote can be unanimous and wrong, so log loss (cut off at 1e-15) is
  hard on models that answer with shares of votes: the forest and ours.
* **speed settings** are lookahead 5 and noise 0.25; **defaults** are what `opendipaco train` does when nothing is said.

Defaults are defaults: where a learner does badly with them, as LightGBM may with classes of a few rows, that is shown and not mended.
Histogram boosting stops early by itself above 10,000 rows, except where a class has a single row.

What the others see of a table: numbers as they are, an empty cell missing; texts that repeat as categories (their own kind where they
have one; codes for the forest and where histogram boosting has more than its 255); a column of sentences as tf-idf of its 1,000
most frequent words (SMS Spam's text, Titanic's names). Reading and encoding are not in their `training`. Ours reads the cells.

A part of rows chosen by chance (Covertype, KDD Cup, baby names) is chosen with seed 0, and where there is no test part a fifth is
held out with seed 1. "made" tables are those of the published validation and its generator, seed 0; the made Adult's test rows are
20,000 more with seed 1. Where a table is measured on "all" rows, quality is that on the training rows.
"""


def table(head, rows, words=False):
    """Markdown; columns after the first are numbers, unless they are words."""
    ends = ["---" if i == 0 or words else "---:" for i in range(len(head))]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(ends) + "|"]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def seconds(value):
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def megabytes(value):
    return "" if value is None else f"{value / 1e6:,.0f} MB"


def rate(value):
    if not value:
        return ""
    digits = max(0, int(math.log10(value)) - 2)
    return f"{round(value, -digits):,.0f}"


def share(value, digits=4):
    return "" if value is None else f"{value:.{digits}f}"


def times(value, base):
    if not value or not base:
        return ""
    ratio = value / base
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def name_of(key, figures):
    if key == "ours-more":
        layers = (figures.get("settings") or {}).get("layers", "more")
        return f"**ours**, {layers} layers, defaults"
    return NAMES[key]


def quality_head(task):
    return ["R2", "RMSE", "MAE"] if task == "number" else ["accuracy", "AUROC", "log loss"]


def quality_cells(task, figures):
    quality = figures.get("quality") or {}
    if task == "number":
        return [share(quality.get("r2")), *(f"{quality[k]:.4g}" if k in quality else "" for k in ("rmse", "mae"))]
    return [share(quality.get("accuracy")), share(quality.get("auroc")), share(quality.get("log_loss"), 3)]


def section(result):
    made, meta = result["table"], result.get("meta", {})
    text = f"### {made['name']}: {made['about']}\n\n"
    if "reason" in result:
        return text + result["reason"] + "\n"
    kinds = list(meta["columns"].values())
    counted = [f"{kinds.count(kind)} {kind}" for kind in ("number", "category", "text") if kind in kinds]
    rows = f"{meta['train_rows']:,} rows to train on" + (
        ", the same to measure on" if made["everything"] else f", {meta['test_rows']:,} to measure on")
    classes = f"{meta['classes']} classes" if meta["classes"] else "a number"
    threads = "one thread" if result["threads"] == 1 else f"{result['threads']} threads"
    text += f"{rows}; columns: {', '.join(counted)}; target: {classes}; {threads}, {result['rounds']} rounds.\n\n"
    base = result["learners"].get("lightgbm", {})
    lines = []
    for key, figures in result["learners"].items():
        name = name_of(key, figures)
        if figures.get("whole") is None:
            lines.append([f"{name}: {figures.get('reason') or 'not measured'}"] + [""] * 11)
            continue
        if figures.get("reason"):
            name += f" ({figures['reason']})"
        lines.append([name, *quality_cells(made["task"], figures),
                      seconds(figures.get("train")), times(figures.get("train"), base.get("train")),
                      seconds(figures["whole"]), times(figures["whole"], base.get("whole")),
                      rate(figures.get("predict")), times(figures.get("predict"), base.get("predict")),
                      megabytes(figures.get("memory")), times(figures.get("memory"), base.get("memory"))])
    head = ["", *quality_head(made["task"]), "training, s", "x", "whole, s", "x", "prediction, rows/s", "x", "peak memory", "x"]
    return text + table(head, lines)


def summary(results):
    """Quality at a glance: accuracy, or R2 for numbers."""
    keys = ["lightgbm", "xgboost", "forest", "histogram", "ours-defaults", "ours-more"]
    lines = []
    for result in results["tables"]:
        made = result["table"]
        if "reason" in result or made["everything"]:
            continue
        which = "r2" if made["task"] == "number" else "accuracy"
        cells = [((result["learners"].get(key) or {}).get("quality") or {}).get(which) for key in keys]
        best = max((cell for cell in cells if cell is not None), default=None)
        lines.append([made["name"] + (" (R2)" if which == "r2" else "")] +
                     [f"**{share(cell)}**" if cell is not None and cell == best else share(cell) for cell in cells])
    if not lines:
        return ""
    head = ["held out: accuracy", "LightGBM", "XGBoost", "random forest", "histogram boosting", "ours, 5 layers", "ours, more layers"]
    return "## At a glance\n\n" + table(head, lines) + "\n" + speed_summary(results)


def speed_summary(results):
    keys = ["lightgbm", "xgboost", "forest", "histogram", "ours-speed", "ours-defaults"]
    lines = []
    for result in results["tables"]:
        if "reason" in result:
            continue
        lines.append([result["table"]["name"]] + [seconds((result["learners"].get(key) or {}).get("train")) for key in keys])
    head = ["training, s", "LightGBM", "XGBoost", "random forest", "histogram boosting", "ours, speed settings", "ours, defaults"]
    return table(head, lines)


def phases(results):
    lines = []
    for result in results["tables"] + results["growth"]:
        for key in ("ours-speed", "ours-defaults", "ours-more"):
            figures = result.get("learners", {}).get(key) or {}
            told = figures.get("phases") or {}
            if not told:
                continue
            predicted = figures.get("predict_phases") or {}
            lines.append([f"{result['table']['name']}, {key.removeprefix('ours-')}",
                          *(seconds(told.get(name)) for name in ("publishing", "reading", "training", "writing", "whole")),
                          megabytes(figures.get("model_bytes")), megabytes(figures.get("memory")), megabytes(figures.get("memory_whole")),
                          rate(figures.get("predict")), rate(figures.get("predict_whole")),
                          seconds(predicted.get("reading_model")), megabytes(figures.get("predict_memory"))])
    if not lines:
        return ""
    head = ["ours", "publishing, s", "reading, s", "training, s", "writing, s", "whole, s", "model", "peak memory, trained",
            "peak memory, whole", "prediction, rows/s", "whole process, rows/s", "reading the model, s", "peak memory, prediction"]
    return ("## Our binary by phase\n\nPublishing reads the source for the schema, the router and the shards' hashes; reading makes the "
            "table; writing reads the source twice more, for the rows that go into the model.\n\n" + table(head, lines))


def fits(results):
    lines = []
    for result in results["tables"]:
        for key in ("ours-speed", "ours-defaults", "ours-more"):
            fit = (result.get("learners", {}).get(key) or {}).get("fit")
            if fit:
                possible = fit["rows"] - fit["conflicts"]
                lines.append([f"{result['table']['name']}, {key.removeprefix('ours-')}", f"{fit['rows']:,}", f"{fit['conflicts']:,}",
                              f"{fit['perfect']:,}", "yes" if fit["perfect"] == possible else f"no, {possible - fit['perfect']:,} are not"])
    if not lines:
        return ""
    head = ["training rows", "rows", "conflicts", "probability 1.0", "all but conflicts"]
    return ("## Perfect fit\n\nTraining rows predicted again. A conflict is a row with the features of an earlier one and another "
            "target: no model can be right about both. For a number, its very value is asked for.\n\n" + table(head, lines))


def slope(points):
    """Exponent of seconds against rows, least squares on logarithms."""
    points = [(math.log(rows), math.log(value)) for rows, value in points if value]
    if len(points) < 2:
        return None
    x, y = (sum(values) / len(points) for values in zip(*points))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def growth(results):
    measured = [result for result in results["growth"] if "reason" not in result]
    if len(measured) < 2:
        return ""
    lines = []
    for result in measured:
        of = result["learners"]
        mine, base = of.get("ours-speed") or {}, of.get("lightgbm") or {}
        lines.append([f"{result['meta']['train_rows']:,}", seconds(mine.get("train")), seconds(mine.get("whole")), megabytes(mine.get("memory")),
                      seconds(base.get("train")), megabytes(base.get("memory"))])
    exponents = [exponent_of(results, key, which) for key, which in
                 (("ours-speed", "train"), ("ours-speed", "whole"), ("lightgbm", "train"))]
    mine, whole, base = (share(value, 2) for value in exponents)
    lines.append(["exponent", mine, whole, "", base, ""])
    head = ["rows", "ours, training, s", "ours, whole, s", "ours, peak memory", "LightGBM, training, s", "LightGBM, peak memory"]
    return "## Training time against rows\n\nThe made Adult, speed settings, one thread.\n\n" + table(head, lines)


def exponent_of(results, key, which):
    return slope([(result["meta"]["train_rows"], ((result["learners"].get(key) or {}).get(which)))
                  for result in results["growth"] if "reason" not in result])


class Figures:
    """Looks figures up by table, learner and name; None where they were not measured."""

    def __init__(self, results):
        self.of = {result["table"]["name"]: result.get("learners", {}) for result in results["tables"]}

    def get(self, name, key, *path):
        value = (self.of.get(name) or {}).get(key) or {}
        for part in path:
            value = (value or {}).get(part)
        return value or None


def reached(value, target, least=False):
    if value is None or target is None:
        return "not measured"
    good = value >= target if least else value <= target
    if good:
        return "yes"
    if least and target <= 1:
        return f"no: {target - value:.3g} short"
    return f"no: a factor of {target / value if least else value / target:.2f}"


def said(*pairs):
    """`name value` of what was measured, joined."""
    return "; ".join(f"{name} {value}".strip() for name, value in pairs if value) or "not measured"


def in_seconds(value):
    return f"{seconds(value)} s" if value is not None else ""


def goals(results):
    """The figures the project set out to reach, each with what was measured."""
    of = Figures(results)
    lines = []

    def add(what, target, measured, verdict, beside=""):
        lines.append([what, target, measured, verdict, beside])

    for name, what, target, bench in (("binary-all", "5,000 rows x 5 layers, Gaussian", 0.05, "gaussian 5000"),
                                      ("multitext-all", "5,000 x 5, numbers and text", 0.1, "numbers and texts 5000"),
                                      ("regression", "4,000 x 5, regression", 0.5, "regression 4000"),
                                      ("adult", "Adult, 32,561 x 5", 0.3, None)):
        train, whole = of.get(name, "ours-speed", "train"), of.get(name, "ours-speed", "whole")
        add(what, f"{target} s", said(("training", in_seconds(train)), ("whole", in_seconds(whole))),
            said(("training:", reached(train, target)), ("whole:", reached(whole, target))),
            said(("criterion, same shape:", in_seconds(results.get("criterion", {}).get(bench))),
                 ("defaults", in_seconds(of.get(name, "ours-defaults", "train"))),
                 ("LightGBM", in_seconds(of.get(name, "lightgbm", "train")))))
    million = "adult-1m"
    train, base = of.get(million, "ours-speed", "train"), of.get(million, "lightgbm", "train")
    add("a million rows x 5, 2 threads: training", said(("LightGBM's", in_seconds(base))), said(("", in_seconds(train))),
        reached(train, base),
        said(("whole", in_seconds(of.get(million, "ours-speed", "whole"))),
             ("LightGBM's whole", in_seconds(of.get(million, "lightgbm", "whole"))),
             ("XGBoost", in_seconds(of.get(million, "xgboost", "train"))),
             ("defaults", in_seconds(of.get(million, "ours-defaults", "train")))))
    memory, base = of.get(million, "ours-speed", "memory"), of.get(million, "lightgbm", "memory")
    add("the same: peak memory", said(("LightGBM's + 100 MB:", megabytes(base + 100e6 if base else None))), said(("", megabytes(memory))),
        reached(memory, base + 100e6 if base else None),
        said(("whole process", megabytes(of.get(million, "ours-speed", "memory_whole")))))
    model, writing = of.get(million, "ours-speed", "model_bytes"), of.get(million, "ours-speed", "phases", "writing")
    pace = model / writing / 1e6 if model and writing else None
    add("the same: the model is written", "100 MB/s", said(("", f"{pace:.0f} MB/s" if pace else "")), reached(pace, 100, least=True),
        said((megabytes(model), f"in {in_seconds(writing)}, reading the source twice included" if pace else "")))
    exponent = exponent_of(results, "ours-speed", "train")
    add("training time against rows, 10 k to 1.6 M", "exponent 1.1", said(("", share(exponent, 2))), reached(exponent, 1.1),
        said(("LightGBM", share(exponent_of(results, "lightgbm", "train"), 2))))
    two = "adult-2-threads"
    pace = of.get(two, "ours-defaults", "predict")
    add("prediction, Adult, 5 layers, 2 threads", "500,000 rows/s", said(("", f"{rate(pace)} rows/s" if pace else "")),
        reached(pace, 500_000, least=True),
        said(("whole process", rate(of.get(two, "ours-defaults", "predict_whole"))),
             ("speed settings", rate(of.get(two, "ours-speed", "predict"))),
             ("LightGBM", rate(of.get(two, "lightgbm", "predict"))), ("XGBoost", rate(of.get(two, "xgboost", "predict")))))
    for name, what, which, target, key in (
            ("binary", "Gaussian, held out: accuracy", "accuracy", 1.0, "ours-defaults"),
            ("multitext", "three classes, held out: accuracy", "accuracy", 0.99, "ours-defaults"),
            ("regression", "regression, held out: R2", "r2", 0.99, "ours-defaults"),
            ("adult", "Adult test, 5 layers: accuracy", "accuracy", 0.850, "ours-defaults"),
            ("adult", "Adult test, 5 layers: AUROC", "auroc", 0.865, "ours-defaults"),
            ("adult", "Adult test, 25 layers: accuracy", "accuracy", 0.860, "ours-more"),
            ("adult", "Adult test, 25 layers: AUROC", "auroc", 0.900, "ours-more")):
        value = of.get(name, key, "quality", which)
        add(what, f"{target:.3f}", said(("", share(value))), reached(value, target, least=True),
            said(*((NAMES[other], share(of.get(name, other, "quality", which))) for other in ("lightgbm", "forest")),
                 ("training", in_seconds(of.get(name, key, "train")))))
    fit = [figures["fit"] for learners in of.of.values() for figures in learners.values() if figures.get("fit")]
    bad = sum(1 for one in fit if one["perfect"] + one["conflicts"] != one["rows"])
    add("perfect fit on every table, conflicts apart", "every row", f"{len(fit) - bad} of {len(fit)} models" if fit else "not measured",
        "not measured" if not fit else "no" if bad else "yes")
    return ("## Figures to reach\n\nSpeed with lookahead 5 and noise 0.25, one thread unless said; quality with the defaults.\n\n"
            + table(["what", "reach", "measured", "reached", "beside it"], lines, words=True))


def head(system):
    versions = ", ".join(f"{name} {version}" for name, version in system["versions"].items())
    memory = f", {system['memory'] / 1e9:.0f} GB of memory" if system.get("memory") else ""
    command = " ".join(["python bench/compare.py", *system["words"]])
    ours = f"{system['binary']} (commit {system['commit']})" if system.get("binary") else "our binary was not there"
    lines = [f"{system['date']}, {system['cores']} cores{memory}; {system.get('minutes', 0):.0f} minutes in all", f"`{command}`",
             f"{ours}; {versions}"]
    if (system.get("busy") or 0) > 0.2:
        lines.append(f"**Provisional: {100 * system['busy']:.0f} % of the cores were busy with other things at the start.**")
    return f"{HEAD}\n" + "".join(f"* {line}\n" for line in lines)


def page(results):
    parts = [head(results["system"]), goals(results), summary(results), growth(results), fits(results), phases(results),
             "## Table by table\n"]
    parts += [section(result) for result in results["tables"]]
    parts.append(NOTES)
    return "\n".join(part.rstrip() + "\n" for part in parts if part)
