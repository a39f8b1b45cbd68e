"""The figures of predictions, the same for every learner; and `quality.py JOB.json` for what our binary printed."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from prepare import column_kinds, read_cells, rows_that_can_be_right


def class_figures(truth, classes, shares):
    """Accuracy, AUROC (one against the rest, mean over the classes that occur and are not alone) and log loss.

    `truth`: texts. `classes`: texts, in the order of the columns of `shares`. A class that is not among them is a mistake.
    """
    place = {name: i for i, name in enumerate(classes)}
    codes = np.array([place.get(name, -1) for name in truth])
    best = shares.argmax(axis=1)
    areas = []
    for i in range(1, 2) if len(classes) == 2 else range(len(classes)):
        of_class = codes == i
        positive = int(of_class.sum())
        negative = len(codes) - positive
        if positive and negative:
            ranks = pd.Series(shares[:, i]).rank().to_numpy()
            areas.append((ranks[of_class].sum() - positive * (positive + 1) / 2) / (positive * negative))
    given = np.where(codes >= 0, shares[np.arange(len(codes)), np.maximum(codes, 0)], 0.0)
    return {"accuracy": float((best == codes).mean()), "auroc": float(np.mean(areas)) if areas else None,
            "log_loss": float(-np.log(np.clip(given, 1e-15, 1.0)).mean()) + 0.0}


def number_figures(truth, estimates):
    error = estimates - truth
    spread = ((truth - truth.mean()) ** 2).sum()
    return {"r2": float(1 - (error ** 2).sum() / spread), "rmse": float(np.sqrt((error ** 2).mean())),
            "mae": float(np.abs(error).mean())}


def read_predictions(path, task):
    """What `opendipaco predict --format csv` printed: classes and shares, or estimates."""
    frame = pd.read_csv(path, keep_default_na=False, na_values={"prediction": [""]} if task == "number" else None)
    if task == "number":
        return None, frame["prediction"].to_numpy(dtype=float)
    names = [name for name in frame.columns if name.startswith("probability ")]
    return [name.removeprefix("probability ") for name in names], frame[names].to_numpy(dtype=float)


def perfect_fit(rows, target, task, predictions):
    """Training rows that no conflict spoils, and how many of them are answered with probability 1 (or their very number)."""
    possible = rows_that_can_be_right(rows, target, column_kinds(rows, target)).to_numpy()
    classes, shares = predictions
    if task == "number":
        truth = rows[target].astype(float).to_numpy()
        right = np.abs(shares - truth) <= 1e-9 * np.maximum(1.0, np.abs(truth))
    else:
        place = {name: i for i, name in enumerate(classes)}
        codes = np.array([place.get(name, -1) for name in rows[target]])
        right = (codes >= 0) & (shares[np.arange(len(codes)), np.maximum(codes, 0)] == 1.0)
    return {"rows": len(rows), "conflicts": int((~possible).sum()), "perfect": int((right & possible).sum())}


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    target, task = job["target"], job["task"]
    figures = {}
    if "test_predictions" in job:
        truth = read_cells(job["test"])[target]
        classes, answers = read_predictions(job["test_predictions"], task)
        if task == "number":
            # A row without an estimate counts as the mean.
            answers = np.where(np.isnan(answers), np.nanmean(answers), answers)
            figures["quality"] = number_figures(truth.astype(float).to_numpy(), answers)
        else:
            figures["quality"] = class_figures(truth, classes, answers)
    if "train_predictions" in job:
        rows = read_cells(job["train"])
        figures["fit"] = perfect_fit(rows, target, task, read_predictions(job["train_predictions"], task))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
