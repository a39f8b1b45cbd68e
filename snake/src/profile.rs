//! Profiles: which families of literals are tried, and how often.

use serde::{Deserialize, Serialize};

/// A mix of literal families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Profile {
    Balanced,
    Scientific,
    Industrial,
    Categorical,
    Cryptographic,
    Linguistic,
    Hef,
}
