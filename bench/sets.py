"""The tables that are compared on. Standard library only: the driver imports this, and has to stay small."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Table:
    """One table, its split, and how much of it is worth measuring."""

    name: str
    target: str
    task: str = "class"  # or "number"
    file: str = ""  # below SHARED/data
    test_file: str = ""  # its own test part
    kind: str = ""  # or a kind of SHARED/tools/make_tables.py
    rows: int = 0  # rows made (kind), or a random choice of so many (file); 0 is all
    held_out: float = 0.2  # share of the rows, chosen by seed, where there is no test part
    last_rows: int = 0  # hold out the last rows instead, as make_tables does
    test_rows: int = 0  # test rows made apart, with the next seed
    everything: bool = False  # train on all rows and measure on the same
    predict_rows: int = 100_000  # the test rows are repeated up to so many, for rows/s
    rounds: int = 3
    seconds: float = 0  # after which no further round begins, instead of --set-seconds
    threads: int = 0  # instead of 1
    more_layers: int = 0  # one more run of our binary with so many layers
    quick: bool = False
    without: dict = field(default_factory=dict)  # learner: why it is left out
    about: str = ""

    def asdict(self):
        return asdict(self)


FOREST_AT_A_MILLION = "left out: 100 full trees of a million noisy rows take minutes and gigabytes"


def made(name, kind, rows, **more):
    target = {"binary": "y", "multitext": "y", "regression": "y", "adult": "y"}[kind]
    task = "number" if kind == "regression" else "class"
    return Table(name, target, task, kind=kind, rows=rows, **more)


TABLES = [
    made("binary-all", "binary", 5000, everything=True, rounds=5, quick=True,
         about="Gaussian, published validation, all 5,000 rows"),
    made("binary", "binary", 5000, last_rows=1000, quick=True,
         about="Gaussian, published validation, 4,000 / 1,000"),
    made("multitext-all", "multitext", 5000, everything=True, rounds=5,
         about="numbers and text, published validation, all 5,000 rows"),
    made("multitext", "multitext", 5000, last_rows=1000, quick=True,
         about="numbers and text, published validation, 4,000 / 1,000"),
    made("regression-all", "regression", 5000, everything=True, predict_rows=20_000,
         about="regression, published validation, all 5,000 rows"),
    made("regression", "regression", 5000, last_rows=1000, rounds=5, quick=True, predict_rows=20_000,
         about="regression, published validation, 4,000 / 1,000"),
    Table("adult", "income", file="adult_train.csv.gz", test_file="adult_test.csv", rounds=5, more_layers=25,
          predict_rows=200_000, about="Adult, its own test part"),
    Table("adult-2-threads", "income", file="adult_train.csv.gz", test_file="adult_test.csv", threads=2,
          predict_rows=200_000, about="Adult again, two threads"),
    Table("titanic", "survived", file="titanic.csv", quick=True, about="Titanic"),
    Table("mushroom", "class", file="mushroom.csv", about="Mushroom"),
    Table("sms-spam", "label", file="sms_spam.csv", predict_rows=5_000, about="SMS Spam: one column, a text"),
    Table("bank-full", "subscribed", file="bank_full.csv.gz", about="Bank Marketing"),
    Table("diamonds", "price", "number", file="diamonds.csv.gz", predict_rows=10_788,
          about="Diamonds: the price"),
    Table("covertype", "cover_type", file="covertype.csv.gz", rows=100_000, predict_rows=20_000,
          about="Covertype, 100,000 rows by chance"),
    Table("kddcup99", "label", file="kddcup99_10pct.csv.gz", rows=100_000, predict_rows=20_000,
          about="KDD Cup 1999, 100,000 rows by chance"),
    Table("babynames", "sex", file="babynames.csv.gz", rows=200_000, predict_rows=40_000,
          about="Baby names, 200,000 rows by chance"),
    made("adult-10k", "adult", 10_000, test_rows=20_000, about="made like Adult, 10,000 rows"),
    made("adult-100k", "adult", 100_000, test_rows=20_000, about="made like Adult, 100,000 rows"),
    made("adult-1m", "adult", 1_000_000, test_rows=20_000, threads=2, seconds=240, predict_rows=200_000,
         without={"forest": FOREST_AT_A_MILLION}, about="made like Adult, a million rows, two threads"),
]

# For how training time grows with rows; only trained.
GROWTH = [made(f"adult-{rows}", "adult", rows, everything=True, predict_rows=0, rounds=3)
          for rows in (10_000, 50_000, 200_000, 800_000, 1_600_000)]
