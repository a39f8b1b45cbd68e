//! Work on the threads of the current pool, read and handed on in order: bounded, and the same with any number of threads.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use anyhow::{Context, Result};

/// Takes items from `next` until there are none, works on several at once, and hands what came out to `then` in the order
/// of the items. At most one item more than there are threads is under way. To be called within a pool.
///
/// # Errors
/// The first error of `next`, `work` or `then`, by the order of the items; what came before it has been handed on.
pub(crate) fn in_order<I: Send, T: Send>(
    mut next: impl FnMut() -> Result<Option<I>> + Send,
    work: impl Fn(I) -> Result<T> + Sync,
    mut then: impl FnMut(T) -> Result<()> + Send,
) -> Result<()> {
    let most = rayon::current_num_threads() + 1;
    rayon::scope(|scope| {
        let mut under_way: VecDeque<Receiver<Result<T>>> = VecDeque::new();
        let mut end = None;
        loop {
            while under_way.len() >= most || end.is_some() {
                match under_way.pop_front() {
                    Some(first) => then(wait(&first)?)?,
                    None => return end.unwrap_or(Ok(())),
                }
            }
            match next() {
                Ok(Some(item)) => {
                    let (done, result) = sync_channel(1);
                    let work = &work;
                    scope.spawn(move |_| {
                        // Nobody waits for it after an error.
                        let _ = done.send(work(item));
                    });
                    under_way.push_back(result);
                }
                Ok(None) => end = Some(Ok(())),
                Err(error) => end = Some(Err(error)),
            }
        }
    })
}

/// Waits for a result and works meanwhile: the thread that waits is one of the pool's, perhaps the only one.
fn wait<T>(result: &Receiver<Result<T>>) -> Result<T> {
    loop {
        match result.try_recv() {
            Ok(result) => return result,
            Err(TryRecvError::Empty) if rayon::yield_now() == Some(rayon::Yield::Executed) => {}
            // Others are at it.
            Err(_) => return result.recv().context("a part of the work came to no end")?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(threads: usize, failing: Option<u64>) -> (Vec<u64>, Result<()>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut asked, mut got) = (0, Vec::new());
        let result = pool.install(|| {
            in_order(
                || {
                    asked += 1;
                    anyhow::ensure!(failing != Some(asked), "no item {asked}");
                    Ok((asked <= 50).then_some(asked))
                },
                |item: u64| {
                    anyhow::ensure!(failing != Some(item + 100), "item {item}");
                    // Unequal work, that work of the same pool is part of.
                    let (sum, item) = rayon::join(|| (0..item % 7 * 1000).sum::<u64>(), || item);
                    std::hint::black_box(sum);
                    Ok(item)
                },
                |item| {
                    got.push(item);
                    Ok(())
                },
            )
        });
        (got, result)
    }

    #[test]
    fn what_comes_out_is_in_order() {
        for threads in [1, 2, 5] {
            let (got, result) = on(threads, None);
            assert!(result.is_ok());
            assert_eq!(got, (1..=50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_comes_after_what_was_before_it() {
        for threads in [1, 2, 5] {
            for failing in [20, 120] {
                let (got, result) = on(threads, Some(failing));
                assert!(result.is_err());
                assert_eq!(got, (1..20).collect::<Vec<_>>(), "{failing}");
            }
        }
    }
}
