//! Being asked to stop: Ctrl-C, or SIGTERM.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

/// How long the last word may take. It is said in no time, unless nobody reads it or the machine is far too busy.
const LAST_WORD: Duration = Duration::from_millis(200);

/// Resolves when the person or the system asks the program to stop.
pub(crate) async fn asked() {
    Signals::new().next().await;
}

/// The signals that ask a program to stop. From the moment they are watched, they end nothing by themselves.
struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let watched = |kind| signal(kind).ok();
        Self { terminate: watched(SignalKind::terminate()), interrupt: watched(SignalKind::interrupt()) }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        async fn come(signal: &mut Option<tokio::signal::unix::Signal>) {
            let come = match signal {
                Some(signal) => signal.recv().await,
                None => None,
            };
            if come.is_none() {
                std::future::pending().await
            }
        }
        tokio::select! {
            () = come(&mut self.terminate) => {}
            () = come(&mut self.interrupt) => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Tells a program that it was asked to stop, and sees to it that it does: asked a second time, or not through after
/// `within`, it ends at once, whatever it is busy with.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// From here on, on a thread of its own, which no work can hold up. Where the system gives no signals, they do what they
    /// always do.
    pub(crate) fn watch(within: Duration) -> Self {
        let (told, asked) = watch::channel(false);
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            let mut signals = {
                let _inside = runtime.enter();
                Signals::new()
            };
            let watching = std::thread::Builder::new().name("signals".into()).spawn(move || {
                runtime.block_on(async move {
                    signals.next().await;
                    told.send_replace(true);
                    tokio::select! {
                        () = signals.next() => std::process::exit(130),
                        () = tokio::time::sleep(within) => {
                            // On a thread of its own: nobody may be there to read it, and the program has to end all the same.
                            let (done, said) = oneshot::channel();
                            let _ = std::thread::Builder::new().spawn(move || {
                                let text = "opendipaco: stopped without having said goodbye; what was held is free when its lease ends";
                                let _ = writeln!(std::io::stderr().lock(), "{text}");
                                let _ = done.send(());
                            });
                            tokio::select! {
                                () = signals.next() => std::process::exit(130),
                                _ = tokio::time::timeout(LAST_WORD, said) => std::process::exit(1),
                            }
                        }
                    }
                });
            });
            if let Err(error) = watching {
                tracing::warn!("signals can't be watched, so they end the program at once: {error}");
            }
        }
        Self(asked)
    }

    /// Resolves when the program is asked to stop, also if that was before.
    pub(crate) async fn asked(mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Notes that the program was asked to stop, for work that has something to clean up and no runtime to wait in. The second
/// time it is asked, the program ends at once.
#[derive(Debug)]
pub(crate) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// From here on. Where the system gives no signals, nothing is noted and they do what they always do.
    pub(crate) fn start() -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&asked);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            std::thread::spawn(move || {
                runtime.block_on(self::asked());
                note.store(true, Ordering::Relaxed);
                runtime.block_on(self::asked());
                std::process::exit(130);
            });
        }
        Self(asked)
    }

    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
