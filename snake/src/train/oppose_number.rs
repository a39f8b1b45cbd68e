//! Literals between two different numbers of a column.

use super::draft::DraftTest;
use super::family::NumberFamily;
use super::numbers::{DIGITS, NumberFeature, Scale};
use super::oppose::{Drawn, between};
use crate::literal::Measure;
use crate::stream::Stream;

/// Two different numbers of a column, by rank.
struct Numbers<'a> {
    feature: &'a NumberFeature,
    ranks: (u32, u32),
    yes: f64,
    no: f64,
}

/// A literal that is true for the number of rank `yes` and false for that of the other rank `no`.
pub(super) fn number(feature: &NumberFeature, stream: &mut Stream, yes: u32, no: u32) -> Drawn {
    let ranks = (yes, no);
    let [yes, no] = [ranks.0, ranks.1].map(|rank| feature.values.distinct[rank as usize]);
    let mix = &feature.mix;
    match mix.only().or_else(|| mix.at(stream.below(mix.total()))) {
        None | Some(NumberFamily::Value) => None,
        Some(family) => Numbers { feature, ranks, yes, no }.of(family),
    }
    .unwrap_or_else(|| (yes > no, DraftTest::Number(between(yes.min(no), yes.max(no)))))
}

impl Numbers<'_> {
    fn of(&self, family: NumberFamily) -> Option<Drawn> {
        match family {
            NumberFamily::Value => None,
            NumberFamily::Standard => self.feature.standard_scale().and_then(|scale| self.scaled(scale)),
            NumberFamily::Logarithm => self.scaled(Scale::Measure(Measure::Nl)),
            NumberFamily::Digits => self.digits(),
            NumberFamily::Zero => self.zero(),
        }
    }

    /// A threshold half way between the measures of the two.
    fn scaled(&self, scale: Scale) -> Option<Drawn> {
        let (yes, no) = (scale.of(self.yes), scale.of(self.no));
        // Rounding may make them the same, or nearly so.
        if !(yes < no || no < yes) || (yes < no) != (self.yes < self.no) {
            return None;
        }
        let threshold = between(yes.min(no), yes.max(no));
        let border = self.feature.border(scale, threshold, scale.inverse(threshold))?;
        let standard = matches!(scale, Scale::Standard { .. });
        Some((yes > no, DraftTest::Scaled { standard, threshold, border }))
    }

    fn digits(&self) -> Option<Drawn> {
        let digits = self.feature.digits.as_ref()?;
        measured(Measure::Nd, DIGITS, digits, self.ranks.0, self.ranks.1)
    }

    #[allow(clippy::float_cmp)] // 0 is what the kind is about
    fn zero(&self) -> Option<Drawn> {
        match (self.yes == 0.0, self.no == 0.0) {
            (true, _) => Some((false, DraftTest::Zero { rank: self.ranks.0 })),
            (_, true) => Some((true, DraftTest::Zero { rank: self.ranks.1 })),
            _ => None,
        }
    }
}

/// A threshold half way between the measures of two places of a ranked list, on this axis; `None` where they are the
/// same.
pub(super) fn measured(
    measure: Measure,
    slot: usize,
    ranked: &super::ranked::Ranked,
    yes: u32,
    no: u32,
) -> Option<Drawn> {
    let (yes, no) = (ranked.value(yes), ranked.value(no));
    if !(yes < no || no < yes) {
        return None;
    }
    let threshold = between(yes.min(no), yes.max(no));
    let border = ranked.border(threshold);
    let slot = u8::try_from(slot).ok()?;
    Some((yes > no, DraftTest::Measured { measure, slot, threshold, border }))
}
