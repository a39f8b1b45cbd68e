"""Makes the files of one table: train.csv, test.csv, many.csv (rows to predict, without a target) and meta.json.

Run by compare.py as a process of its own: `prepare.py JOB.json`. Cells stay as published: everything is read and written as text.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def read_cells(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def column_kinds(frame, target):
    """`number`: every cell that is not empty is a decimal number. `text`: most cells differ and they have four words and more on
    average. Else `category`."""
    kinds = {}
    for name in frame.columns.drop(target):
        cells = pd.Series(frame[name].unique())
        filled = cells[cells != ""]
        if filled.str.fullmatch(NUMBER).all():
            kinds[name] = "number"
        elif len(cells) > len(frame) / 2 and cells.str.count(r"\S+").mean() >= 4:
            kinds[name] = "text"
        else:
            kinds[name] = "category"
    return kinds


def rows_that_can_be_right(frame, target, kinds):
    """Whether each row has the target of the first row with the same features: no model is right about the others.

    Numbers are compared as numbers, an empty cell being 0, as training reads them.
    """
    features = pd.DataFrame({
        name: pd.to_numeric(frame[name].replace("", "0")) + 0.0 if kind == "number" else frame[name]
        for name, kind in kinds.items()})
    if not len(features.columns):
        return frame[target] == frame[target].iloc[0]
    same = pd.util.hash_pandas_object(features, index=False)
    return frame[target] == frame[target].groupby(same).transform("first")


def make(table, shared, out):
    """The rows to train on and those to measure on."""
    if table["kind"]:
        tool = Path(shared) / "tools" / "make_tables.py"

        def made(seed, rows, name):
            path = out / name
            subprocess.run([sys.executable, tool, table["kind"], "--rows", str(rows), "--seed", str(seed),
                            "--out", str(path)], check=True)
            frame = read_cells(path)
            path.unlink()
            return frame

        rows = made(0, table["rows"], "made.csv")
        if table["test_rows"]:
            return rows, made(1, table["test_rows"], "made_test.csv")
        if table["last_rows"]:
            return rows.iloc[:-table["last_rows"]], rows.iloc[-table["last_rows"]:]
    else:
        rows = read_cells(Path(shared) / "data" / table["file"])
        if table["test_file"]:
            test = read_cells(Path(shared) / "data" / table["test_file"])
            # The labels of a published test part may end in a full stop that those of the training part don't have.
            if not rows[table["target"]].str.endswith(".").any():
                test[table["target"]] = test[table["target"]].str.removesuffix(".")
            return rows, test
        order = np.random.default_rng(0).permutation(len(rows))
        rows = rows.iloc[order[:table["rows"] or len(rows)]].reset_index(drop=True)
    if table["everything"]:
        return rows, rows
    held_out = round(len(rows) * table["held_out"])
    order = np.random.default_rng(1).permutation(len(rows))
    return rows.iloc[np.sort(order[held_out:])], rows.iloc[np.sort(order[:held_out])]


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    table, out = job["table"], Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    train, test = make(table, job["shared"], out)
    target = table["target"]
    kinds = column_kinds(train, target)
    train.to_csv(out / "train.csv", index=False)
    meta = {"train_rows": len(train), "test_rows": len(test), "columns": kinds, "bytes": (out / "train.csv").stat().st_size}
    meta["classes"] = int(train[target].nunique()) if table["task"] == "class" else 0
    if table["predict_rows"]:
        test.to_csv(out / "test.csv", index=False)
        times = -(-table["predict_rows"] // len(test))
        many = pd.concat([test.drop(columns=target)] * times).iloc[:max(table["predict_rows"], len(test))]
        many.to_csv(out / "many.csv", index=False)
        meta["predict_rows"] = len(many)
    # Last, so that a folder with this file is whole.
    (out / "meta.json").write_text(json.dumps({"table": table, **meta}))


if __name__ == "__main__":
    main()
