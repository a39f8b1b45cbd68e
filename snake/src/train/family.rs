//! Families of literals, and how often each profile tries them.
//!
//! A profile gives every family a share. A family that training does not emit hands its share to the one that stands
//! in for it, so a share is never lost and a new family takes its own back.

use crate::profile::Profile;

/// A family of literals on texts, as the profiles name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// T
    Substring,
    /// TEQ
    Equals,
    /// TN, TLN
    Shape,
    /// TWS, TPS, TSS
    Splits,
    /// LEV, JAC
    Distance,
    /// PFX, SFX
    Position,
    /// TUC, TDC, TSC
    Class,
    /// ENT
    Entropy,
    /// HEX
    Hexadecimal,
    /// REP
    Repetition,
}

/// A family of literals on texts that training emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFamily {
    /// T: contains a text.
    Substring,
    /// TEQ: equals a text.
    Equals,
    /// TN, TLN: length, distinct characters.
    Shape,
}

impl Named {
    /// The emitted family that gets this one's share.
    fn emitted(self) -> TextFamily {
        match self {
            Self::Substring | Self::Position => TextFamily::Substring,
            Self::Equals | Self::Splits | Self::Distance => TextFamily::Equals,
            Self::Shape | Self::Class | Self::Entropy | Self::Hexadecimal | Self::Repetition => {
                TextFamily::Shape
            }
        }
    }
}

/// The shares of a profile on texts. Numbers need no such table: N is the one family there.
fn shares(profile: Profile) -> &'static [(Named, usize)] {
    use Named::{
        Class, Distance, Entropy, Equals, Hexadecimal, Position, Repetition, Shape, Splits, Substring,
    };
    match profile {
        Profile::Balanced => {
            &[(Substring, 1), (Shape, 1), (Splits, 1), (Distance, 1), (Position, 1), (Class, 1)]
        }
        // Substring, else shape: what to do when a family does not tell two texts apart is oppose's.
        Profile::Scientific => &[(Substring, 100)],
        Profile::Industrial => &[(Substring, 40), (Shape, 20), (Splits, 15), (Position, 10), (Class, 15)],
        Profile::Categorical => &[(Splits, 30), (Substring, 35), (Shape, 15), (Distance, 10), (Position, 10)],
        Profile::Cryptographic => &[
            (Class, 15),
            (Entropy, 10),
            (Hexadecimal, 5),
            (Repetition, 5),
            (Shape, 25),
            (Distance, 15),
            (Splits, 10),
            (Position, 10),
            (Substring, 5),
        ],
        Profile::Linguistic => {
            &[(Distance, 35), (Position, 20), (Class, 15), (Shape, 15), (Splits, 10), (Substring, 5)]
        }
        Profile::Hef => &[(Equals, 40), (Position, 20), (Distance, 15), (Substring, 15), (Class, 10)],
    }
}

/// The emitted families of a profile with their shares.
#[derive(Debug, Clone)]
pub(super) struct Mix {
    families: Vec<(TextFamily, usize)>,
    total: usize,
}

impl Mix {
    pub(super) fn new(profile: Profile) -> Self {
        let mut families: Vec<(TextFamily, usize)> = Vec::new();
        for (named, share) in shares(profile) {
            let emitted = named.emitted();
            match families.iter_mut().find(|(family, _)| *family == emitted) {
                Some((_, sum)) => *sum += share,
                None => families.push((emitted, *share)),
            }
        }
        let total = families.iter().map(|(_, share)| share).sum();
        Self { families, total }
    }

    /// How many tickets [`Mix::at`] takes.
    #[inline]
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The family that holds this ticket.
    #[inline]
    pub(super) fn at(&self, mut ticket: usize) -> TextFamily {
        for &(family, share) in &self.families {
            if ticket < share {
                return family;
            }
            ticket -= share;
        }
        TextFamily::Equals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_share_is_lost() {
        for profile in Profile::ALL {
            let mix = Mix::new(profile);
            assert_eq!(mix.total(), shares(profile).iter().map(|(_, share)| share).sum::<usize>());
            let tickets: Vec<_> = (0..mix.total()).map(|ticket| mix.at(ticket)).collect();
            for (family, share) in &mix.families {
                assert_eq!(tickets.iter().filter(|f| *f == family).count(), *share, "{profile}");
            }
        }
        let hundred =
            [Profile::Industrial, Profile::Categorical, Profile::Cryptographic, Profile::Linguistic];
        assert!(hundred.iter().all(|&profile| Mix::new(profile).total() == 100));
    }
}
