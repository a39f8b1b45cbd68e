//! A column of texts as training looks at it: measures of every dictionary entry, taken once, and distances between entries.

use std::ops::Range;
use std::sync::OnceLock;

use super::ends::Ends;
use super::family::{Mix, TextFamily};
use super::masks::SMALL;
use super::ranked::Ranked;
use super::searches::Searches;
use super::signatures::Signature;
use crate::literal::{Comparison, Measure};
use crate::measure;
use crate::measure::bigrams::Bigrams;
use crate::measure::edit::Reference;
use crate::profile::Profile;

/// LEV is not used on columns with longer texts, in code points: existing readers take too long for it.
const LONGEST_LEV: u32 = 32;
/// Up to this many distinct texts, distances between them are kept.
const FEW: usize = 256;
/// Up to this many, and up to this many bytes of text, distances are used at all.
const MANY: usize = 1 << 16;
const MANY_BYTES: usize = 1 << 21;
/// How much less often distances are tried where they are not kept.
const RARER: usize = 8;

/// Families whose literals compare a measure with a threshold.
const MEASURED: [(TextFamily, &[Measure]); 6] = [
    (TextFamily::Shape, &[Measure::Tn, Measure::Tln]),
    (TextFamily::Splits, &[Measure::Tws, Measure::Tps, Measure::Tss]),
    (TextFamily::Class, &[Measure::Tuc, Measure::Tdc, Measure::Tsc, Measure::Tvr]),
    (TextFamily::Entropy, &[Measure::Ent]),
    (TextFamily::Hexadecimal, &[Measure::Hex]),
    (TextFamily::Repetition, &[Measure::Rep]),
];

/// A column of texts.
#[derive(Debug)]
pub(super) struct TextFeature {
    /// Measures that differ between texts, and per dictionary entry their values. The first one's axis is 1.
    pub(super) measures: Vec<(Measure, Ranked)>,
    /// Per entry of [`MEASURED`], where its measures are in the list.
    families: [Range<usize>; MEASURED.len()],
    pub(super) distances: Distances,
    /// Of long texts.
    pub(super) searches: Option<Searches>,
    /// Per dictionary entry; empty where there are few texts or they are long.
    pub(super) signatures: Vec<Signature>,
    /// The order of the texts' starts, and that of their ends; `None` where that is of no use. Their axes come after
    /// those of the measures.
    ends: Option<[Ends; 2]>,
    pub(super) ascii: bool,
    pub(super) mix: Mix<TextFamily>,
}

impl TextFeature {
    pub(super) fn new(dictionary: &[Box<str>], profile: Profile) -> Self {
        let ascii = dictionary.iter().all(|text| text.is_ascii());
        let mut measures = Vec::new();
        let families = MEASURED.map(|(family, kinds)| {
            let start = measures.len();
            // Length and distinct characters are what is fallen back on, whatever the profile.
            if family == TextFamily::Shape || Mix::has_texts(profile, family) {
                for &kind in kinds {
                    // What an upper-case letter is differs between readers beyond ASCII.
                    if ascii || !matches!(kind, Measure::Tuc | Measure::Tdc | Measure::Tsc) {
                        measures.extend(measured(kind, dictionary).map(|ranked| (kind, ranked)));
                    }
                }
            }
            start..measures.len()
        });
        let distances = Distances::new(dictionary, Mix::has_texts(profile, TextFamily::Distance));
        let mix = Mix::texts(profile, |family, share| match position(family) {
            Some(place) if families[place].is_empty() => 0,
            Some(_) => share * RARER,
            None if family == TextFamily::Distance => share * distances.weight(dictionary.len()),
            None => share * RARER,
        });
        let searches = Searches::new(dictionary);
        let sieved = dictionary.len() > SMALL && searches.is_none();
        let signatures =
            if sieved { dictionary.iter().map(|text| Signature::of(text)).collect() } else { vec![] };
        let ends = (sieved && Mix::has_texts(profile, TextFamily::Position))
            .then(|| [false, true].map(|at_end| Ends::new(dictionary, at_end)));
        Self { measures, families, distances, searches, signatures, ends, ascii, mix }
    }

    /// How many axes there are.
    pub(super) fn slots(&self) -> usize {
        1 + self.measures.len() + self.ends.as_ref().map_or(0, |ends| ends.len())
    }

    /// The order of the texts' starts, or of their ends, and which axis it is.
    pub(super) fn ends(&self, at_end: bool) -> Option<(usize, &Ends)> {
        let place = usize::from(at_end);
        Some((1 + self.measures.len() + place, &self.ends.as_ref()?[place]))
    }

    /// The order whose axis this is.
    pub(super) fn ends_of(&self, slot: usize) -> Option<&Ends> {
        self.ends.as_ref()?.get(slot.checked_sub(1 + self.measures.len())?)
    }

    /// Per dictionary entry its key on an axis; `None` for the axis of the entries themselves.
    #[inline]
    pub(super) fn keys(&self, slot: usize) -> Option<&[u32]> {
        match self.measures.get(slot.checked_sub(1)?) {
            Some((_, ranked)) => Some(&ranked.ranks),
            None => self.ends_of(slot).map(|ends| &*ends.ranks),
        }
    }

    /// The measures of a family, as positions in the list.
    pub(super) fn of_family(&self, family: TextFamily) -> Range<usize> {
        position(family).map_or(0..0, |place| self.families[place].clone())
    }
}

fn position(family: TextFamily) -> Option<usize> {
    MEASURED.iter().position(|(other, _)| *other == family)
}

/// A measure of all texts; `None` where it is the same for all.
fn measured(kind: Measure, dictionary: &[Box<str>]) -> Option<Ranked> {
    let values: Vec<f64> =
        dictionary.iter().map(|text| measure::of_text(kind, text).unwrap_or(0.0)).collect();
    let first = values.first()?.to_bits();
    if values.iter().all(|value| value.to_bits() == first) { None } else { Some(Ranked::of(&values)) }
}

/// Distances between the entries of a dictionary (LEV, JAC), computed when they are first asked for.
#[derive(Debug)]
pub(super) struct Distances {
    /// Whether LEV may be used.
    pub(super) edits: bool,
    /// Whether JAC may be used.
    pub(super) bigrams: bool,
    /// Bigrams of each entry, all at once.
    sets: OnceLock<Vec<Bigrams>>,
    /// Of few texts: per reference, its distances to all.
    kept: [Vec<OnceLock<Box<[f64]>>>; 2],
}

impl Distances {
    fn new(dictionary: &[Box<str>], wanted: bool) -> Self {
        let bytes: usize = dictionary.iter().map(|text| text.len()).sum();
        let usable = wanted && dictionary.len() > 1 && dictionary.len() <= MANY && bytes <= MANY_BYTES;
        let short = |text: &str| text.chars().take(LONGEST_LEV as usize + 1).count() <= LONGEST_LEV as usize;
        let edits = usable && dictionary.iter().all(|text| short(text));
        let few = if usable && dictionary.len() <= FEW { dictionary.len() } else { 0 };
        let kept = [edits, usable].map(|of| (0..if of { few } else { 0 }).map(|_| OnceLock::new()).collect());
        Self { edits, bigrams: usable, sets: OnceLock::new(), kept }
    }

    /// How often to try them, against [`RARER`] for other families.
    fn weight(&self, entries: usize) -> usize {
        match (self.bigrams, entries <= FEW) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => RARER,
        }
    }

    /// The measure of an entry against another one.
    pub(super) fn between(
        &self,
        comparison: Comparison,
        dictionary: &[Box<str>],
        text: u32,
        reference: u32,
    ) -> f64 {
        self.to(comparison, dictionary, reference).of(text, &dictionary[text as usize])
    }

    /// All measures against a reference.
    pub(super) fn to<'a>(
        &'a self,
        comparison: Comparison,
        dictionary: &'a [Box<str>],
        reference: u32,
    ) -> To<'a> {
        let kept = &self.kept[usize::from(comparison != Comparison::Lev)];
        match kept.get(reference as usize) {
            Some(cell) => To::Kept(cell.get_or_init(|| {
                let measures = self.measured(comparison, dictionary, reference);
                (0..).zip(dictionary).map(|(code, text)| measures.of(code, text)).collect()
            })),
            None => self.measured(comparison, dictionary, reference),
        }
    }

    fn measured<'a>(&'a self, comparison: Comparison, dictionary: &'a [Box<str>], reference: u32) -> To<'a> {
        let text = &dictionary[reference as usize];
        if comparison == Comparison::Lev {
            return match Reference::new(text) {
                Some(reference) => To::Edits(reference),
                None => To::Any(comparison, text),
            };
        }
        let sets = self.sets.get_or_init(|| dictionary.iter().map(|text| Bigrams::of(text)).collect());
        To::Bigrams(sets, reference as usize, text)
    }
}

/// The measures of dictionary entries against one of them.
#[derive(Debug)]
pub(super) enum To<'a> {
    Kept(&'a [f64]),
    Edits(Reference),
    Bigrams(&'a [Bigrams], usize, &'a str),
    Any(Comparison, &'a str),
}

impl To<'_> {
    /// Of JAC: how many of the reference's pairs a text may lack whose measure is not below the threshold.
    pub(super) fn lacking(&self, threshold: f64) -> Option<usize> {
        match self {
            Self::Bigrams(sets, place, _) => sets[*place].lacking(threshold),
            _ => None,
        }
    }

    /// What the measure of an entry is not above, from how many pairs the reference has that the entry has not, and the other
    /// way round, at least.
    #[inline]
    pub(super) fn most(&self, code: u32, missing: impl FnOnce() -> [usize; 2]) -> f64 {
        match self {
            Self::Bigrams(sets, place, _) => sets[*place].most(&sets[code as usize], missing()),
            _ => f64::INFINITY,
        }
    }

    /// The measure of an entry, which is this text.
    #[inline]
    #[allow(clippy::cast_precision_loss)] // at most a text's length
    pub(super) fn of(&self, code: u32, text: &str) -> f64 {
        let code = code as usize;
        match self {
            Self::Kept(measures) => measures[code],
            Self::Edits(reference) => reference.distance(text) as f64,
            Self::Bigrams(sets, place, reference) => {
                sets[code].similarity(&sets[*place], || text == *reference)
            }
            Self::Any(comparison, reference) => measure::compared(*comparison, text, reference),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(texts: &[&str]) -> Vec<Box<str>> {
        texts.iter().map(|text| (*text).into()).collect()
    }

    #[test]
    fn measures_that_say_nothing_are_left_out() {
        let kinds = |texts: &[&str], profile| -> Vec<Measure> {
            TextFeature::new(&dictionary(texts), profile).measures.iter().map(|(kind, _)| *kind).collect()
        };
        assert_eq!(kinds(&["ab", "ac"], Profile::Balanced), [Measure::Tvr; 0]);
        assert_eq!(
            kinds(&["a b", "Abc1"], Profile::Balanced),
            [Measure::Tn, Measure::Tln, Measure::Tws, Measure::Tuc, Measure::Tdc, Measure::Tvr]
        );
        assert_eq!(kinds(&["Ä b", "Abc1"], Profile::Hef), [Measure::Tn, Measure::Tln, Measure::Tvr]);
        assert_eq!(kinds(&["aa", "a b1"], Profile::Scientific), [Measure::Tn, Measure::Tln]);
    }

    #[test]
    fn long_texts_have_no_edit_distance() {
        let long = "é".repeat(33);
        let of = |text: &str| Distances::new(&dictionary(&["a", text]), true);
        assert!(of(&long[2..]).edits && of(&long[2..]).bigrams);
        assert!(!of(&long).edits && of(&long).bigrams);
        assert!(!Distances::new(&dictionary(&["a", "b"]), false).bigrams);
        assert_eq!(of(&"a".repeat(MANY_BYTES)).weight(2), 0);
    }

    #[test]
    fn kept_or_not_distances_are_those_of_the_definition() {
        let mut texts = dictionary(&["", "a", "navy", "navy blue", "éa", "a"]);
        for _ in 0..2 {
            let distances = Distances::new(&texts, true);
            for (comparison, a, b) in
                [(Comparison::Lev, 2, 3), (Comparison::Jac, 3, 2), (Comparison::Jac, 1, 5)]
            {
                assert_eq!(
                    distances.between(comparison, &texts, a, b).to_bits(),
                    measure::compared(comparison, &texts[a as usize], &texts[b as usize]).to_bits()
                );
            }
            texts.extend((0..300).map(|i| format!("text {i}").into()));
        }
    }
}
