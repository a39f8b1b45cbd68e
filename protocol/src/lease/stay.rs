//! How long a claim stands.

use super::moment::{Moment, Stamp};
use super::statement::{Says, Statement};
use crate::ids::PeerKey;

/// How a peer's claim on a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It holds as long as its signer is heard.
    Live,
    /// Its signer fell silent. A heartbeat doesn't bring it back, a claim of a later epoch does.
    Silent,
    /// It lasted `max_lease`. Nothing brings it back.
    Expired,
    /// Released, or finished.
    Over,
}

impl Fate {
    pub(super) fn is_dead(self) -> bool {
        matches!(self, Self::Silent | Self::Expired)
    }

    /// What a kept statement asks for.
    pub(super) fn wanted(said: &Statement) -> Self {
        if matches!(said.says(), Says::Claim(_)) { Self::Live } else { Self::Over }
    }
}

/// A signer's claim on a unit, seen from here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    pub(super) first_seen: Stamp,
    pub(super) fate: Fate,
}

impl Stay {
    pub(super) fn begin(now: Moment, wanted: Fate, heard: bool) -> Self {
        let fate = match wanted {
            Fate::Live if !heard => Fate::Silent,
            other => other,
        };
        Self { first_seen: now.into(), fate }
    }

    /// Its signer said something new, `before` this, or nothing since.
    pub(super) fn follow(&mut self, said: &Statement, before: Option<&Statement>, heard: bool) {
        let later = before.is_some_and(|before| said.epoch() > before.epoch());
        let newer = later || before.is_some_and(|before| said.says().counter() > before.says().counter());
        self.fate = match (self.fate, Fate::wanted(said)) {
            (Fate::Expired, _) => Fate::Expired,
            (Fate::Silent, _) if !later => Fate::Silent,
            (_, Fate::Live) if newer && !heard => Fate::Silent,
            (Fate::Over, Fate::Live) if !newer => Fate::Over,
            (_, wanted) => wanted,
        };
    }
}

/// The same, where a unit has several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) signer: PeerKey,
    pub(super) stay: Stay,
}
