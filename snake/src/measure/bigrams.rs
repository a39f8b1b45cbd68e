//! Sets of character bigrams, and how alike two of them are.

/// The distinct pairs of neighbouring characters of a text, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bigrams(Box<[u64]>);

impl Bigrams {
    pub(crate) fn of(text: &str) -> Self {
        let pair = |(a, b)| u64::from(u32::from(a)) << 32 | u64::from(u32::from(b));
        let mut pairs: Vec<u64> = text.chars().zip(text.chars().skip(1)).map(pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs.into())
    }

    /// Jaccard similarity; of two texts that have no bigrams (which `equal` is about), 1 if they are equal, else 0.
    pub(crate) fn similarity(&self, other: &Self, equal: impl FnOnce() -> bool) -> f64 {
        let (left, right) = (&*self.0, &*other.0);
        if left.is_empty() && right.is_empty() {
            return f64::from(u8::from(equal()));
        }
        let (mut i, mut j, mut both) = (0, 0, 0);
        while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
            both += usize::from(a == b);
            i += usize::from(a <= b);
            j += usize::from(b <= a);
        }
        share(left.len(), right.len(), both)
    }

    /// How many of these pairs another set can lack whose similarity is not below the threshold; `None` where there are none.
    pub(crate) fn lacking(&self, threshold: f64) -> Option<usize> {
        let size = self.0.len();
        // The other set has what they have in common at least.
        (0..size).rev().find(|lacking| share(size, size - lacking, size - lacking) >= threshold)
    }

    /// What the similarity is not above, if so many of these pairs are missing in the other one and the other way round;
    /// NaN where neither has any.
    pub(crate) fn most(&self, other: &Self, missing: [usize; 2]) -> f64 {
        let (left, right) = (self.0.len(), other.0.len());
        share(left, right, left.saturating_sub(missing[0]).min(right.saturating_sub(missing[1])))
    }
}

#[allow(clippy::cast_precision_loss)]
fn share(left: usize, right: usize, both: usize) -> f64 {
    both as f64 / (left + right - both) as f64
}

/// Jaccard similarity of the sets of character bigrams of two texts.
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    Bigrams::of(a).similarity(&Bigrams::of(b), || a == b)
}
