//! Families of literals, and how often each profile tries them.
//!
//! A profile gives every family a share. A family that can't tell any two values of a column apart, or that must not be
//! used on it, has no share there: the others have its share in proportion to their own.

use crate::profile::Profile;

/// A family of literals on texts, as the profiles name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFamily {
    /// T: contains a text.
    Substring,
    /// TEQ: equals a text.
    Equals,
    /// TN, TLN: length, distinct characters.
    Shape,
    /// TWS, TPS, TSS: pieces between spaces, commas, full stops.
    Splits,
    /// LEV, JAC: edit distance, bigrams in common.
    Distance,
    /// PFX, SFX, TSW, TEW: how a text starts or ends.
    Position,
    /// TUC, TDC, TSC, TVR: characters of a class.
    Class,
    /// ENT
    Entropy,
    /// HEX
    Hexadecimal,
    /// REP
    Repetition,
}

/// A family of literals on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberFamily {
    /// N: the number itself.
    Value,
    /// NZ: in deviations from the mean.
    Standard,
    /// NL: its logarithm.
    Logarithm,
    /// ND: its digits when written out.
    Digits,
    /// NZR: whether it is 0.
    Zero,
}

/// A family and its share.
type Share<F> = (F, usize);

/// The shares of a profile on texts.
fn texts(profile: Profile) -> &'static [Share<TextFamily>] {
    use TextFamily::{
        Class, Distance, Entropy, Equals, Hexadecimal, Position, Repetition, Shape, Splits, Substring,
    };
    match profile {
        // Equality is not in the published mix. On names of categories it is the kind that reads best.
        Profile::Balanced => {
            &[(Substring, 1), (Equals, 1), (Shape, 1), (Splits, 1), (Distance, 1), (Position, 1), (Class, 1)]
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

/// The shares of a profile on numbers. The published ones give digits 50 and 10, deviations 25 and logarithms 20.
fn numbers(profile: Profile) -> &'static [Share<NumberFamily>] {
    use NumberFamily::{Digits, Logarithm, Standard, Value, Zero};
    match profile {
        Profile::Balanced => &[(Value, 90), (Digits, 5), (Zero, 5)],
        Profile::Scientific => &[(Value, 70), (Standard, 10), (Logarithm, 10), (Digits, 5), (Zero, 5)],
        Profile::Industrial
        | Profile::Categorical
        | Profile::Cryptographic
        | Profile::Linguistic
        | Profile::Hef => &[(Value, 100)],
    }
}

/// The families that are tried on a column, with their shares.
#[derive(Debug, Clone)]
pub(super) struct Mix<F> {
    families: Vec<Share<F>>,
    total: usize,
}

impl Mix<TextFamily> {
    /// Those of a profile that are of use on a column of texts. `held` says what to make of a family's share there.
    pub(super) fn texts(profile: Profile, held: impl Fn(TextFamily, usize) -> usize) -> Self {
        Self::new(texts(profile), held)
    }

    /// Whether the profile tries the family at all.
    pub(super) fn has_texts(profile: Profile, family: TextFamily) -> bool {
        texts(profile).iter().any(|(other, _)| *other == family)
    }
}

impl Mix<NumberFamily> {
    /// Those of a profile that are of use on a column of numbers.
    pub(super) fn numbers(profile: Profile, useful: impl Fn(NumberFamily) -> bool) -> Self {
        Self::new(numbers(profile), |family, share| if useful(family) { share } else { 0 })
    }

    /// Whether the profile tries the family at all.
    pub(super) fn has_numbers(profile: Profile, family: NumberFamily) -> bool {
        numbers(profile).iter().any(|(other, _)| *other == family)
    }
}

impl<F: Copy> Mix<F> {
    fn new(shares: &[Share<F>], held: impl Fn(F, usize) -> usize) -> Self {
        let held = shares.iter().map(|&(family, share)| (family, held(family, share)));
        let families: Vec<Share<F>> = held.filter(|(_, share)| *share > 0).collect();
        let total = families.iter().map(|(_, share)| share).sum();
        Self { families, total }
    }

    /// How many tickets [`Mix::at`] takes; 0 when no family is of use.
    #[inline]
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The one family there is, if there is only one.
    #[inline]
    pub(super) fn only(&self) -> Option<F> {
        match *self.families {
            [(family, _)] => Some(family),
            _ => None,
        }
    }

    /// The family that holds this ticket.
    #[inline]
    pub(super) fn at(&self, mut ticket: usize) -> Option<F> {
        for &(family, share) in &self.families {
            if ticket < share {
                return Some(family);
            }
            ticket -= share;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_has_its_tickets() {
        for profile in Profile::ALL {
            let mix = Mix::texts(profile, |_, share| share);
            for (family, share) in texts(profile) {
                let tickets = (0..mix.total()).filter(|&ticket| mix.at(ticket) == Some(*family));
                assert_eq!(tickets.count(), *share, "{profile}");
            }
            assert_eq!(mix.at(mix.total()), None);
            let numbers = Mix::numbers(profile, |_| true);
            assert_eq!(numbers.total(), 100, "{profile}");
            assert_eq!(numbers.at(0), Some(NumberFamily::Value));
        }
        let hundred =
            [Profile::Industrial, Profile::Categorical, Profile::Cryptographic, Profile::Linguistic];
        assert!(hundred.iter().all(|&profile| Mix::texts(profile, |_, share| share).total() == 100));
    }

    #[test]
    fn a_family_that_is_of_no_use_has_no_share() {
        let mix =
            Mix::texts(Profile::Hef, |family, share| if family == TextFamily::Equals { 0 } else { share });
        assert_eq!(mix.total(), 60);
        assert!((0..60).all(|ticket| mix.at(ticket) != Some(TextFamily::Equals)));
        let one = Mix::numbers(Profile::Scientific, |family| family == NumberFamily::Digits);
        assert_eq!(one.only(), Some(NumberFamily::Digits));
    }
}
