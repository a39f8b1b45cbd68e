//! Edit distance: insertions, deletions and replacements of single characters.

/// A text to measure edit distances to, of at most 64 characters: the columns of the table of distances are held as bits
/// (Myers's method in Hyyrö's form), so a distance takes a few steps per character of the other text.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// Per ASCII character, the places where the reference has it.
    ascii: Box<[u64; 128]>,
    /// The same for its other characters.
    others: Vec<(char, u64)>,
    length: usize,
}

impl Reference {
    /// `None` for a text of more than 64 characters.
    pub(crate) fn new(text: &str) -> Option<Self> {
        Self::of(text.chars())
    }

    fn of(characters: impl Iterator<Item = char>) -> Option<Self> {
        let mut reference = Self { ascii: Box::new([0; 128]), others: Vec::new(), length: 0 };
        for c in characters {
            if reference.length == 64 {
                return None;
            }
            let place = 1 << reference.length;
            reference.length += 1;
            if let Some(places) = reference.ascii.get_mut(c as usize) {
                *places |= place;
            } else if let Some((_, places)) = reference.others.iter_mut().find(|(other, _)| *other == c) {
                *places |= place;
            } else {
                reference.others.push((c, place));
            }
        }
        Some(reference)
    }

    fn places(&self, c: char) -> u64 {
        match self.ascii.get(c as usize) {
            Some(places) => *places,
            None => self.others.iter().find(|(other, _)| *other == c).map_or(0, |(_, places)| *places),
        }
    }

    /// The edit distance of a text to the reference.
    pub(crate) fn distance(&self, text: &str) -> usize {
        if text.is_ascii() {
            self.walk(text.bytes().map(|byte| self.ascii[usize::from(byte & 127)]))
        } else {
            self.walk(text.chars().map(|c| self.places(c)))
        }
    }

    /// `places`: per character of the other text, where the reference has it.
    fn walk(&self, places: impl Iterator<Item = u64>) -> usize {
        let mut distance = self.length;
        let Some(last) = self.length.checked_sub(1) else { return places.count() };
        // Where the distance grows by one from a row to the next, and where it falls.
        let (mut up, mut down) = (!0_u64, 0_u64);
        for equal in places {
            let vertical = equal | down;
            let diagonal = (((equal & up).wrapping_add(up)) ^ up) | equal;
            let mut right_up = down | !(diagonal | up);
            let mut right_down = up & diagonal;
            distance += (right_up >> last & 1) as usize;
            distance -= (right_down >> last & 1) as usize;
            right_up = right_up << 1 | 1;
            right_down <<= 1;
            up = right_down | !(vertical | right_up);
            down = right_up & vertical;
        }
        distance
    }
}

/// The edit distance of two texts.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let start = super::common(a.iter().copied(), b.iter().copied());
    let (a, b) = (a.get(start..).unwrap_or(&[]), b.get(start..).unwrap_or(&[]));
    let end = super::common(a.iter().rev().copied(), b.iter().rev().copied());
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    match Reference::of(short.iter().copied()) {
        Some(reference) => reference.walk(long.iter().map(|c| reference.places(*c))),
        None => table(a, b),
    }
}

/// Row by row of the table of distances, for texts of any length.
fn table(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_agree_with_the_table(a in "[abé]{0,70}", b in "[abcé€]{0,40}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = table(&chars(&a), &chars(&b));
            prop_assert_eq!(distance(&a, &b), expected);
            prop_assert_eq!(distance(&b, &a), expected);
            prop_assert_eq!(Reference::new(&b).unwrap().distance(&a), expected);
            prop_assert_eq!(Reference::new(&a).is_none(), a.chars().count() > 64);
        }
    }

    #[test]
    fn full_words_fit() {
        let text = "x".repeat(64);
        assert_eq!(Reference::new(&text).unwrap().distance("x"), 63);
        assert_eq!(Reference::new("").unwrap().distance("abc"), 3);
        assert_eq!(distance(&"ab".repeat(50), &"ba".repeat(50)), 2);
    }
}
