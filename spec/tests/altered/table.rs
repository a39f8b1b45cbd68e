//! What comes of each alteration.

use Outcome::{Load, Mismatch, NoEffect};
use Shards::{AbsentClass, Fine, FineOrWrong, Refused, Wrong};

/// An alteration, and what comes of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) at: &'static str,
    pub(crate) change: &'static str,
    /// The specs it holds for: k-means by prefix, by reservoir, on all rows; one round robin.
    pub(crate) bases: &'static str,
    pub(crate) outcome: Outcome,
}

/// What comes of it. Words are in the message; where `|` is between them, some of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// It is refused when it is loaded.
    Load(&'static str),
    /// The routing is a mismatch. Without the check, the shards say this.
    Mismatch(&'static str, Shards),
    /// Verified, for the fit does not depend on it: why. The shards say this.
    NoEffect(&'static str, Shards),
}

/// What the shard store says when it is asked for all shards, where the router is not checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shards {
    Fine,
    Wrong,
    /// As the rows happen to lie.
    FineOrWrong,
    AbsentClass,
    Refused(&'static str),
}

const IN_SHARDS: &str = "what the shards are is not in the fit: their hashes decide";
const IN_TURN: &str = "rows in turn have no fit: the shards decide";

const fn row(at: &'static str, change: &'static str, bases: &'static str, outcome: Outcome) -> Row {
    Row { at, change, bases, outcome }
}

pub(crate) const ROWS: &[Row] = &[
    row("routing", "one field more", "prao", Load("unknown field `later`")),
    row("routing", "without centroids", "pra", Load("missing field `centroids`")),
    row("routing", "without featurizer", "pra", Load("missing field `featurizer`")),
    row("routing", "without kind", "prao", Load("missing field `kind`")),
    row("routing", "without paths", "o", Load("missing field `paths`")),
    row("routing", "without rows", "pra", Load("missing field `rows`")),
    row("routing", "without settings", "pra", Load("missing field `settings`")),
    row("routing", "without statistics", "pra", Load("missing field `statistics`")),
    row(
        "routing.centroids",
        "longer",
        "pra",
        Load("routing.centroids is not usable: 5 centroids for 4 paths"),
    ),
    row(
        "routing.centroids",
        "shorter",
        "pra",
        Load("routing.centroids is not usable: 3 centroids for 4 paths"),
    ),
    row("routing.centroids", "swapped", "pra", Mismatch("the centroid of path", Wrong)),
    row("routing.centroids[]", "longer", "pra", Load("has 17 numbers for 16 dimensions")),
    row("routing.centroids[]", "shorter", "pra", Load("has 15 numbers for 16 dimensions")),
    row("routing.centroids[]", "swapped", "pra", Mismatch("the centroid of path", FineOrWrong)),
    row("routing.centroids[][]", "+1", "pra", Mismatch("the centroid of path", Fine)),
    row("routing.centroids[][]", "-1", "pra", Mismatch("the centroid of path", Fine)),
    row("routing.featurizer", "another letter", "pra", Load("the featurizer \"signed-hash-x\"")),
    row("routing.kind", "= kmeans", "o", Load("unknown field `paths`")),
    row("routing.kind", "= round_robin", "pra", Load("unknown field `settings`")),
    row("routing.kind", "another letter", "prao", Load("the routing kind of the manifest")),
    row("routing.paths", "+1", "o", Load("shards is not usable: 4 shards for 5 paths")),
    row("routing.paths", "-1", "o", Load("shards is not usable: 4 shards for 3 paths")),
    row("routing.rows", "+1", "pr", Load("routing.rows is not usable: 151 rows in a sample of 150")),
    row("routing.rows", "+1", "a", Mismatch("201 recorded, 200 found", Fine)),
    row("routing.rows", "-1", "pra", Mismatch("149 recorded, 150 found|199 recorded, 200 found", Fine)),
    row("routing.settings", "one field more", "pra", Load("unknown field `later`")),
    row("routing.settings", "without dimensions", "pra", Load("missing field `dimensions`")),
    row("routing.settings", "without featurizer_seed", "pra", Load("missing field `featurizer_seed`")),
    row("routing.settings", "without paths", "pra", Load("missing field `paths`")),
    row("routing.settings", "without sample", "pra", Load("missing field `sample`")),
    row("routing.settings", "without sampling", "pra", Load("missing field `sampling`")),
    row("routing.settings", "without seed", "pra", Load("missing field `seed`")),
    row("routing.settings.dimensions", "+1", "pra", Load("has 16 numbers for 17 dimensions")),
    row("routing.settings.dimensions", "-1", "pra", Load("has 16 numbers for 15 dimensions")),
    row("routing.settings.featurizer_seed", "+1", "pra", Mismatch("the centroid of path", Wrong)),
    row("routing.settings.featurizer_seed", "-1", "pra", Mismatch("the centroid of path", Wrong)),
    row(
        "routing.settings.paths",
        "+1",
        "pra",
        Load("routing.centroids is not usable: 4 centroids for 5 paths"),
    ),
    row(
        "routing.settings.paths",
        "-1",
        "pra",
        Load("routing.centroids is not usable: 4 centroids for 3 paths"),
    ),
    row("routing.settings.sample", "+1", "a", Load("routing.rows is not usable: 200 rows in a sample of 1")),
    row("routing.settings.sample", "+1", "pr", Mismatch("150 recorded, 151 found", Fine)),
    row(
        "routing.settings.sample",
        "-1",
        "pra",
        Load(
            "invalid value: integer `-1`, expected u64|routing.rows is not usable: 150 rows in a sample of 149",
        ),
    ),
    row("routing.settings.sampling", "= prefix", "r", Mismatch("the statistics of column", Fine)),
    row("routing.settings.sampling", "= reservoir", "p", Mismatch("the statistics of column", Fine)),
    row(
        "routing.settings.sampling",
        "= reservoir",
        "a",
        NoEffect("a sample of all rows is the same, however it is drawn", Fine),
    ),
    row("routing.settings.sampling", "another letter", "pra", Load("unknown variant")),
    row(
        "routing.settings.seed",
        "+1",
        "pra",
        Mismatch("the centroid of path|the statistics of column", Fine),
    ),
    row(
        "routing.settings.seed",
        "-1",
        "pra",
        Mismatch("the centroid of path|the statistics of column", Fine),
    ),
    row(
        "routing.statistics",
        "longer",
        "pra",
        Load("routing.statistics is not usable: 4 entries for 3 features"),
    ),
    row(
        "routing.statistics",
        "shorter",
        "pra",
        Load("routing.statistics is not usable: 2 entries for 3 features"),
    ),
    row("routing.statistics", "swapped", "pra", Mismatch("the statistics of column", FineOrWrong)),
    row("routing.statistics[]", "one field more", "pra", Load("unknown field `later`")),
    row("routing.statistics[]", "without deviation", "pra", Load("missing field `deviation`")),
    row("routing.statistics[]", "without mean", "pra", Load("missing field `mean`")),
    row(
        "routing.statistics[].deviation",
        "one ulp down",
        "pra",
        Load("routing.statistics is not usable: the mean or deviation of \"job\" is not a usable number"),
    ),
    row("routing.statistics[].deviation", "one ulp down", "pra", Mismatch("the statistics of column", Fine)),
    row("routing.statistics[].deviation", "one ulp up", "pra", Mismatch("the statistics of column", Fine)),
    row("routing.statistics[].mean", "one ulp down", "pra", Mismatch("the statistics of column", Fine)),
    row("routing.statistics[].mean", "one ulp up", "pra", Mismatch("the statistics of column", Fine)),
    row("schema", "one field more", "prao", Load("a field that is read over")),
    row("schema", "without classes", "prao", Load("missing field `classes`")),
    row("schema", "without features", "prao", Load("missing field `features`")),
    row("schema", "without target", "prao", Load("missing field `target`")),
    row("schema", "without target_kind", "prao", Load("missing field `target_kind`")),
    row(
        "schema.classes",
        "longer",
        "prao",
        NoEffect(
            "a router sees no target, and a class that is not there is in no row; the shards' pass looks for it",
            AbsentClass,
        ),
    ),
    row(
        "schema.classes",
        "shorter",
        "prao",
        Load("schema.classes is not usable: 1 classes is not between 2 and 65536"),
    ),
    row(
        "schema.classes",
        "swapped",
        "prao",
        Load("schema.classes is not usable: the classes are not in ascending order, each once"),
    ),
    row(
        "schema.classes[]",
        "another letter",
        "pra",
        Mismatch("the value \"no\"|the value \"yes\"", Refused("no class of the schema")),
    ),
    row("schema.classes[]", "another letter", "o", NoEffect(IN_TURN, Refused("no class of the schema"))),
    row(
        "schema.features",
        "longer",
        "prao",
        Load("schema is not usable: two columns are called Some(\"income\")"),
    ),
    row(
        "schema.features",
        "shorter",
        "pra",
        Load("routing.statistics is not usable: 3 entries for 2 features"),
    ),
    row("schema.features", "shorter", "o", NoEffect(IN_TURN, Refused("is neither in the spec nor excluded"))),
    row("schema.features", "swapped", "pra", Mismatch("the statistics of column", Wrong)),
    row("schema.features", "swapped", "o", NoEffect(IN_TURN, Wrong)),
    row("schema.features[]", "one field more", "prao", Load("a field that is read over")),
    row("schema.features[]", "without kind", "prao", Load("missing field `kind`")),
    row("schema.features[]", "without name", "prao", Load("missing field `name`")),
    row(
        "schema.features[].kind",
        "= N",
        "pra",
        Mismatch(
            "the schema: people.csv, line 2: the value \"Clerk, night shift\" of column \"job\" is not a finite decimal number, as the schema says: use the source the run was published from, or publish it again",
            Refused(
                "people.csv, line 2: the value \"Clerk, night shift\" of column \"job\" is not a finite decimal",
            ),
        ),
    ),
    row(
        "schema.features[].kind",
        "= N",
        "o",
        NoEffect(
            IN_TURN,
            Refused(
                "people.csv, line 2: the value \"Clerk, night shift\" of column \"job\" is not a finite decimal",
            ),
        ),
    ),
    row("schema.features[].kind", "= T", "pra", Mismatch("the statistics of column", Wrong)),
    row("schema.features[].kind", "= T", "o", NoEffect(IN_TURN, Wrong)),
    row("schema.features[].kind", "another letter", "prao", Load("unknown variant")),
    row(
        "schema.features[].name",
        "another letter",
        "pra",
        Mismatch("is not in the source", Refused("is not in the source")),
    ),
    row("schema.features[].name", "another letter", "o", NoEffect(IN_TURN, Refused("is not in the source"))),
    row(
        "schema.target",
        "another letter",
        "pra",
        Mismatch("is not in the source", Refused("is not in the source")),
    ),
    row("schema.target", "another letter", "o", NoEffect(IN_TURN, Refused("is not in the source"))),
    row(
        "schema.target_kind",
        "= B",
        "prao",
        Load("schema.classes is not usable: a class does not fit the target kind Binary"),
    ),
    row(
        "schema.target_kind",
        "= I",
        "prao",
        Load("schema.classes is not usable: a class does not fit the target kind Integer"),
    ),
    row(
        "schema.target_kind",
        "= J",
        "prao",
        Load("schema.target_kind is not usable: J can be read but not trained"),
    ),
    row(
        "schema.target_kind",
        "= N",
        "prao",
        Load("schema.classes is not usable: a number to be estimated has no classes"),
    ),
    row("schema.target_kind", "another letter", "prao", Load("unknown variant")),
    row("shards", "longer", "prao", Load("shards is not usable: 5 shards for 4 paths")),
    row("shards", "shorter", "prao", Load("shards is not usable: 3 shards for 4 paths")),
    row("shards", "swapped", "prao", NoEffect(IN_SHARDS, Wrong)),
    row("shards[]", "one field more", "prao", Load("unknown field `later`")),
    row("shards[]", "without hash", "prao", Load("missing field `hash`")),
    row("shards[]", "without rows", "prao", Load("missing field `rows`")),
    row("shards[].hash", "longer", "prao", Load("invalid length 33")),
    row("shards[].hash", "one bit", "prao", NoEffect(IN_SHARDS, Wrong)),
    row("shards[].hash", "shorter", "prao", Load("invalid length 31")),
    row("shards[].rows", "+1", "prao", NoEffect(IN_SHARDS, Wrong)),
    row("shards[].rows", "-1", "prao", NoEffect(IN_SHARDS, Wrong)),
];
