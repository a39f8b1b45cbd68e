"""One of the other learners on one table: `learn.py JOB.json` prints its figures as JSON; `learn.py versions` what is installed.

A process of its own, so that its peak memory is its own.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path

PACKAGES = ("lightgbm", "xgboost", "xgboost-cpu", "scikit-learn", "numpy", "pandas")
WORDS = 1000  # of a text, by tf-idf


def versions():
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def lightgbm(task, threads):
    from lightgbm import LGBMClassifier, LGBMRegressor
    made = LGBMRegressor if task == "number" else LGBMClassifier
    return made(n_estimators=100, n_jobs=threads, verbose=-1)


def xgboost(task, threads):
    from xgboost import XGBClassifier, XGBRegressor
    made = XGBRegressor if task == "number" else XGBClassifier
    return made(n_estimators=100, n_jobs=threads, enable_categorical=True)


def forest(task, threads):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    made = RandomForestRegressor if task == "number" else RandomForestClassifier
    return made(n_jobs=threads, random_state=0)


def histogram(task, _threads):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    made = HistGradientBoostingRegressor if task == "number" else HistGradientBoostingClassifier
    return made(random_state=0)


LEARNERS = {"lightgbm": lightgbm, "xgboost": xgboost, "forest": forest, "histogram": histogram}


class Encoder:
    """A table as a learner wants it. Numbers as they are, an empty cell missing. Categories as the learner's own kind, or as codes
    in alphabetical order for the forest, beside texts, and for histogram boosting above its 255. Texts as tf-idf of the most
    frequent words. What was not in the training rows is missing."""

    def __init__(self, learner, kinds, task):
        self.learner, self.kinds, self.task = learner, kinds, task
        self.texts = [name for name, kind in kinds.items() if kind == "text"]
        self.codes_only = learner == "forest" or bool(self.texts)
        self.categories, self.words = {}, {}

    def read(self, path):
        import pandas as pd
        kinds = {"number": None, "category": "category", "text": str}
        dtypes = {name: kinds[kind] for name, kind in self.kinds.items() if kind != "number"}
        missing = {name: [""] for name, kind in self.kinds.items() if kind == "number"}
        header = pd.read_csv(path, nrows=0).columns
        if self.task == "class":
            dtypes.update({name: "category" for name in header if name not in self.kinds})
        frame = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=missing)
        # Categories that look like numbers are read as numbers; here they are names.
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].cat.rename_categories(str)
        return frame

    def fit(self, frame):
        for name, kind in self.kinds.items():
            if kind == "category":
                self.categories[name] = sorted(frame[name].cat.categories)
            elif kind == "text":
                from sklearn.feature_extraction.text import TfidfVectorizer
                self.words[name] = TfidfVectorizer(max_features=WORDS).fit(frame[name])
        return self.transform(frame)

    def transform(self, frame):
        import numpy as np
        import pandas as pd
        columns = {}
        for name, kind in self.kinds.items():
            if kind == "number":
                columns[name] = frame[name]
            elif kind == "category":
                cells = frame[name].cat.set_categories(self.categories[name])
                as_codes = self.codes_only or (self.learner == "histogram" and len(self.categories[name]) > 255)
                columns[name] = cells.cat.codes.replace(-1, np.nan) if as_codes else cells
        plain = pd.DataFrame(columns, index=frame.index)
        if not self.texts:
            return plain.to_numpy(dtype=np.float32) if self.learner == "forest" else plain
        from scipy import sparse
        parts = [self.words[name].transform(frame[name]) for name in self.texts]
        whole = sparse.hstack([sparse.csr_matrix(plain.to_numpy(dtype=np.float64))] + parts, format="csr")
        return whole.toarray() if self.learner in ("forest", "histogram") else whole


def peak_memory():
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    if sys.argv[1] == "versions":
        print(json.dumps(versions()))
        return
    job = json.loads(Path(sys.argv[1]).read_text())
    task, target = job["task"], job["target"]
    encoder = Encoder(job["learner"], job["kinds"], task)
    model = LEARNERS[job["learner"]](task, job["threads"])
    load = time.monotonic()
    frame = encoder.read(job["train"])
    if task == "number":
        y = frame[target].astype(float).to_numpy()
    else:
        classes = sorted(frame[target].cat.categories)
        y = frame[target].cat.set_categories(classes).cat.codes.to_numpy().astype("int32")
        if job["learner"] == "histogram" and frame[target].value_counts().min() < 2:
            # It would set a tenth aside by class to know when to stop, and refuses classes of one row.
            model.set_params(early_stopping=False)
    x = encoder.fit(frame)
    del frame
    start, cpu = time.monotonic(), time.process_time()
    model.fit(x, y)
    end = time.monotonic()
    figures = {"load": start - load, "train": end - start, "train_cpu": time.process_time() - cpu,
               "whole": end - job["started"], "memory": peak_memory()}
    del x
    answer = model.predict if task == "number" else model.predict_proba
    if job.get("many"):
        many = encoder.transform(encoder.read(job["many"]))
        start = time.monotonic()
        answer(many)
        figures["predict"] = many.shape[0] / (time.monotonic() - start)
        del many
    if job.get("test"):
        import numpy as np
        from quality import class_figures, number_figures
        from prepare import read_cells
        answers = np.asarray(answer(encoder.transform(encoder.read(job["test"]))))
        truth = read_cells(job["test"])[target]
        figures["quality"] = (number_figures(truth.astype(float).to_numpy(), answers) if task == "number"
                              else class_figures(truth, classes, answers))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
