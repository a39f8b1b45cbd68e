//! Being asked to stop: Ctrl-C, or SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Resolves when the person or the system asks the program to stop.
pub(crate) async fn asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
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
