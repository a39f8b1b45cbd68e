//! A layer's chain as a tree: what neighbours in the chain have in common at the start of their conditions is asked once.
//!
//! The chain is the definition: a row goes to the first bucket whose condition holds. In a tree, rows for which the common
//! start holds go through the neighbours; whoever comes out of them untaken joins the others again, and all go on to what
//! follows. So a row for which neither a literal nor its opposite holds, since the value is missing, ends where the chain
//! ends it, and any chain is right as a tree, also one that was never divided.

use std::ops::Range;

use crate::bits::{insert_range, members, words};
use crate::program::{Ask, Bound, Tests, View};

/// Groups within groups; deeper ones are asked as they stand. The divide makes at most 64.
const DEEPEST: usize = 96;
/// Sets of rows up to this size are not made anew when few of them are left.
const SMALL: usize = 128;

/// The chain of a layer.
#[derive(Debug, Default)]
pub(super) struct Tree {
    steps: Vec<Step>,
    buckets: usize,
}

#[derive(Debug)]
struct Step {
    /// To be true, all of them.
    tests: Tests,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// The rows are this bucket's.
    Take(usize),
    /// The rows go through these; who is not taken goes on.
    Group(Vec<Step>),
}

/// Memory for a walk, to be used again.
#[derive(Debug, Default)]
pub(super) struct Walk {
    views: Vec<View>,
}

impl Tree {
    /// The tree of a chain of conditions; `None` is ELSE.
    pub(super) fn new(chain: &[Option<Tests>]) -> Self {
        let conditions: Vec<&[Ask]> = chain.iter().map(|tests| tests.as_deref().unwrap_or(&[])).collect();
        // What each has in common with the one before it.
        let common: Vec<usize> = std::iter::once(0)
            .chain(conditions.windows(2).map(|pair| match pair {
                [a, b] => a.iter().zip(*b).take_while(|(a, b)| a.key() == b.key()).count(),
                _ => 0,
            }))
            .collect();
        let all = 0..conditions.len();
        Self { steps: steps(&conditions, &common, all, 0, 0), buckets: conditions.len() }
    }

    /// Walks the rows (ascending) and hands every bucket the rows that it gets, ascending; buckets that get none are left
    /// out, and those that get some come in any order.
    pub(super) fn walk(
        &self,
        bound: &Bound<'_>,
        rows: impl Iterator<Item = u32>,
        walk: &mut Walk,
        take: &mut dyn FnMut(usize, &[u32]),
    ) {
        let Some(last) = self.buckets.checked_sub(1) else { return };
        let mut of_last = Vec::new();
        let rest = steps_walk(&self.steps, bound, rows, walk, &mut |bucket, rows| {
            if bucket == last {
                of_last.extend_from_slice(rows);
            } else {
                take(bucket, rows);
            }
        });
        if !rest.is_empty() {
            of_last.extend(rest);
            of_last.sort_unstable();
        }
        if !of_last.is_empty() {
            take(last, &of_last);
        }
    }
}

/// The steps of neighbours in the chain whose conditions are the same in the first `known` literals.
fn steps(
    conditions: &[&[Ask]],
    common: &[usize],
    among: Range<usize>,
    known: usize,
    depth: usize,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut start = among.start;
    while start < among.end {
        let after = start + 1;
        let more = common.get(after..among.end).unwrap_or(&[]);
        let end = after + more.iter().take_while(|common| **common > known).count();
        let shared = common.get(after..end).and_then(|common| common.iter().min()).copied();
        let tests = |range: Range<usize>| -> Tests {
            conditions.get(start).and_then(|tests| tests.get(range)).unwrap_or(&[]).to_vec()
        };
        match shared {
            Some(shared) if depth < DEEPEST => {
                let inside = self::steps(conditions, common, start..end, shared, depth + 1);
                steps.push(Step { tests: tests(known..shared), then: Then::Group(inside) });
                start = end;
            }
            _ => {
                let whole = conditions.get(start).map_or(0, |tests| tests.len());
                steps.push(Step { tests: tests(known..whole), then: Then::Take(start) });
                start = after;
            }
        }
    }
    steps
}

/// Gives the rows that no step took, ascending. Recursive, at most [`DEEPEST`] deep.
fn steps_walk(
    steps: &[Step],
    bound: &Bound<'_>,
    rows: impl Iterator<Item = u32>,
    walk: &mut Walk,
    take: &mut dyn FnMut(usize, &[u32]),
) -> Vec<u32> {
    let mut view = walk.views.pop().unwrap_or_default();
    view.look_at(rows);
    let mut left = vec![0; words(view.rows().len())];
    insert_range(&mut left, 0..view.rows().len());
    let mut count = view.rows().len();
    let mut set = Vec::with_capacity(left.len());
    let mut chosen = Vec::new();
    for step in steps {
        if count == 0 {
            break;
        }
        if view.rows().len() > SMALL && count * 2 < view.rows().len() {
            choose(&view, &left, &mut chosen);
            view.look_at(chosen.iter().copied());
            left.truncate(words(count));
            left.fill(0);
            insert_range(&mut left, 0..count);
        }
        set.clear();
        set.extend_from_slice(&left);
        for test in &step.tests {
            view.meet(bound, *test, true, &mut set);
        }
        choose(&view, &set, &mut chosen);
        if chosen.is_empty() {
            continue;
        }
        left.iter_mut().zip(&set).for_each(|(left, set)| *left &= !set);
        count -= chosen.len();
        match &step.then {
            Then::Take(bucket) => take(*bucket, &chosen),
            Then::Group(inside) => {
                let back = steps_walk(inside, bound, chosen.iter().copied(), walk, take);
                count += back.len();
                let mut back = back.into_iter().peekable();
                for place in members(&set) {
                    if back.next_if(|row| view.rows().get(place) == Some(row)).is_some()
                        && let Some(block) = left.get_mut(place / 64)
                    {
                        *block |= 1 << (place % 64);
                    }
                }
            }
        }
    }
    choose(&view, &left, &mut chosen);
    walk.views.push(view);
    chosen
}

/// The rows of a set.
fn choose(view: &View, set: &[u64], into: &mut Vec<u32>) {
    into.clear();
    into.extend(members(set).filter_map(|place| view.rows().get(place)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(lanes: &[u32]) -> Option<Tests> {
        Some(lanes.iter().map(|lane| Ask::Zero(*lane)).collect())
    }

    fn shape(steps: &[Step]) -> String {
        let step = |step: &Step| match &step.then {
            Then::Take(bucket) => format!("{}:{bucket}", step.tests.len()),
            Then::Group(inside) => format!("{}({})", step.tests.len(), shape(inside)),
        };
        steps.iter().map(step).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_neighbours_share_is_asked_once() {
        let chain = [
            asks(&[7, 1, 2, 5]),
            asks(&[7, 1, 2, 6]),
            asks(&[7, 1, 2]),
            asks(&[7, 1, 3]),
            asks(&[7, 4, 3]),
            asks(&[7, 4]),
        ];
        assert_eq!(shape(&Tree::new(&chain).steps), "1(1(1(1:0 1:1 0:2) 1:3) 1(1:4 0:5))");
        let foreign = [asks(&[1]), asks(&[2]), asks(&[1]), None];
        assert_eq!(shape(&Tree::new(&foreign).steps), "1:0 1:1 1:2 0:3");
        let repeated = [asks(&[1, 2]), asks(&[1, 2]), asks(&[]), None];
        assert_eq!(shape(&Tree::new(&repeated).steps), "2(0:0 0:1) 0:2 0:3");
        assert_eq!(shape(&Tree::new(&[]).steps), "");
    }

    /// Every condition is one literal longer than the one before it: no tree of that depth is built or walked.
    #[test]
    fn groups_are_no_deeper_than_the_stack() {
        let literals: Vec<u32> = (0..2000).collect();
        let chain: Vec<_> = (1..=2000).map(|length| asks(&literals[..length])).collect();
        fn depth(steps: &[Step]) -> usize {
            let of = |step: &Step| match &step.then {
                Then::Take(_) => 0,
                Then::Group(inside) => 1 + depth(inside),
            };
            steps.iter().map(of).max().unwrap_or(0)
        }
        let tree = Tree::new(&chain);
        assert_eq!(depth(&tree.steps), DEEPEST);
    }
}
