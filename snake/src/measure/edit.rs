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
    #[inline]
    fn walk(&self, places: impl Iterator<Item = u64>) -> usize {
        // Where the distance grows by one from a row to the next, and where it falls.
        let (mut up, mut down) = (!0_u64, 0_u64);
        let mut columns = 0;
        for equal in places {
            let vertical = equal | down;
            let diagonal = (((equal & up).wrapping_add(up)) ^ up) | equal;
            let right_up = (down | !(diagonal | up)) << 1 | 1;
            let right_down = (up & diagonal) << 1;
            up = right_down | !(vertical | right_up);
            down = right_up & vertical;
            columns += 1;
        }
        // Down the last column, which starts with the other text's length.
        let rows = if self.length == 64 { !0 } else { (1 << self.length) - 1 };
        columns + (up & rows).count_ones() as usize - (down & rows).count_ones() as usize
    }
}

/// The edit distance.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = characters(a, b);
    let (a, b) = trimmed(&a, &b);
    within(a, b, a.len().max(b.len())).unwrap_or(usize::MAX)
}

/// Whether the edit distance is more than `most`: to be told without knowing the distance, in a time that grows with the
/// texts' length times `most` at worst, of texts of nothing in common with `most` twice over.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
pub(crate) fn is_more_than(a: &str, b: &str, most: f64) -> bool {
    if most.is_nan() {
        return false;
    }
    if most < 0.0 {
        return true;
    }
    // No distance is more than the longer text's length in characters, which is at most that in bytes.
    if most >= a.len().max(b.len()) as f64 {
        return false;
    }
    let most = most as usize;
    // A character has at most four bytes: much longer texts are known without being read.
    let longer = |a: &str, b: &str| a.len() / 4 > b.len().saturating_add(most);
    if longer(a, b) || longer(b, a) {
        return true;
    }
    let (a, b) = characters(a, b);
    let (a, b) = trimmed(&a, &b);
    within(a, b, most).is_none()
}

fn characters(a: &str, b: &str) -> (Vec<char>, Vec<char>) {
    (a.chars().collect(), b.chars().collect())
}

/// Both without what they begin and end with alike, the shorter one first.
fn trimmed<'t>(a: &'t [char], b: &'t [char]) -> (&'t [char], &'t [char]) {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (&a[..a.len() - end], &b[..b.len() - end])
}

/// The distance of two texts, the shorter one first, if it is at most `most`.
fn within(short: &[char], long: &[char], most: usize) -> Option<usize> {
    if long.len() - short.len() > most {
        return None;
    }
    let distance = match short.len() {
        0 => long.len(),
        _ => match Reference::of(short.iter().copied()) {
            Some(reference) => reference.walk(long.iter().map(|c| reference.places(*c))),
            None => return in_band(short, long, most),
        },
    };
    (distance <= most).then_some(distance)
}

/// Only the cells from which the corner can still be reached with `most` edits; at the first row of which every cell
/// already has more, it is known.
fn in_band(short: &[char], long: &[char], most: usize) -> Option<usize> {
    let difference = long.len() - short.len();
    // Of the edits, `difference` are insertions at any rate, and every step off to one side has to be made good.
    let spare = (most - difference) / 2;
    let (below, above) = (spare, spare + difference);
    let beyond = most + 1;
    // Row of the shorter text, cells of the longer one: cell j of row i is at j + below - i.
    let width = below + above + 1;
    let mut row = vec![beyond; width.min(below + long.len() + 2)];
    for (cell, j) in row.iter_mut().skip(below).zip(0..=long.len().min(above)) {
        *cell = j;
    }
    for (i, x) in (1_usize..).zip(short) {
        let (first, last) = (i.saturating_sub(below), long.len().min(i + above));
        let mut left = beyond;
        let mut least = beyond;
        for j in first..=last {
            let at = j + below - i;
            let above = row.get(at + 1).copied().unwrap_or(beyond);
            let diagonal = row.get(at).copied().unwrap_or(beyond);
            let replaced = match j.checked_sub(1).and_then(|before| long.get(before)) {
                Some(y) => diagonal + usize::from(x != y),
                None => beyond,
            };
            left = replaced.min(above + 1).min(left + 1).min(beyond);
            least = least.min(left);
            if let Some(cell) = row.get_mut(at) {
                *cell = left;
            }
        }
        if least == beyond {
            return None;
        }
    }
    let corner = row.get(long.len() + below - short.len()).copied().unwrap_or(beyond);
    (corner <= most).then_some(corner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, cell by cell.
    fn by_definition(a: &str, b: &str) -> usize {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in (1..).zip(a.chars()) {
            let mut next = vec![i];
            for (j, y) in b.iter().enumerate() {
                next.push((row[j] + usize::from(x != *y)).min(row[j + 1] + 1).min(next[j] + 1));
            }
            row = next;
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            a in "[abé]{0,40}|[a-d漢é]{50,150}",
            b in "[abé]{0,40}|[a-d漢é]{50,150}",
            edits in proptest::collection::vec((0..150_usize, 0..3_u8), 0..12),
            near in any::<bool>(),
        ) {
            let b = if near {
                let mut b: Vec<char> = a.chars().collect();
                for (place, edit) in edits {
                    let place = place % (b.len() + 1);
                    match edit {
                        0 => b.insert(place, 'x'),
                        1 if place < b.len() => { b.remove(place); }
                        _ => b.push('y'),
                    }
                }
                b.into_iter().collect()
            } else {
                b
            };
            let expected = by_definition(&a, &b);
            prop_assert_eq!(distance(&a, &b), expected);
            let reference = Reference::new(&b);
            prop_assert_eq!(reference.is_none(), b.chars().count() > 64);
            prop_assert!(reference.is_none_or(|reference| reference.distance(&a) == expected));
            for most in [0, 1, 2, 5, 20, expected.saturating_sub(1), expected, expected + 1] {
                prop_assert_eq!(is_more_than(&a, &b, most as f64), expected > most);
                prop_assert_eq!(is_more_than(&a, &b, most as f64 + 0.5), expected > most);
            }
            prop_assert!(is_more_than(&a, &b, -0.5));
            prop_assert!(!is_more_than(&a, &b, f64::NAN) && !is_more_than(&a, &b, f64::INFINITY));
        }
    }

    /// Long texts with a small bound: in a moment, not in the hours that all cells would take.
    #[test]
    fn long_texts_take_no_longer_than_their_bound() {
        let (a, b) = ("ab".repeat(500_000), "ba".repeat(500_000));
        assert!(!is_more_than(&a, &b, 2.0));
        assert!(is_more_than(&a, &b, 1.0));
        assert!(is_more_than(&a, &"c".repeat(1_000_000), 900.0));
        assert!(is_more_than(&a, "", 900_000.0));
    }

    #[test]
    fn full_words_fit() {
        let text = "x".repeat(64);
        assert_eq!(Reference::new(&text).unwrap().distance("x"), 63);
        assert_eq!(Reference::new("").unwrap().distance("abc"), 3);
        assert_eq!(distance(&"ab".repeat(50), &"ba".repeat(50)), 2);
    }
}
