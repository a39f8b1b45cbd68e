//! The thread that requests run on, and waiting for it from any other.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use reqwest::{Client, redirect, retry};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::error::FetchError;
use super::limits::FetchLimits;
use super::reach::{Gate, PublicNames};

/// Threads that look names up: the system's look-up blocks.
const LOOKUPS: usize = 4;

/// Two clients, one of which connects to public addresses only.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    public: Client,
    open: Client,
    /// Why `https` can't work here.
    no_tls: Option<String>,
}

impl Clients {
    fn new(limits: &FetchLimits) -> Result<Self, FetchError> {
        let built = |tls: bool| {
            let builder = || {
                let builder = Client::builder()
                    .user_agent(concat!("opendipaco/", env!("CARGO_PKG_VERSION")))
                    .connect_timeout(limits.connect)
                    .redirect(redirect::Policy::none())
                    .retry(retry::never())
                    .referer(false)
                    .no_proxy();
                if tls { builder } else { builder.tls_certs_only([]) }
            };
            Ok::<_, reqwest::Error>((builder().dns_resolver(PublicNames).build()?, builder().build()?))
        };
        match built(true) {
            Ok((public, open)) => Ok(Self { public, open, no_tls: None }),
            // Without certificates of the system, http can still be read.
            Err(error) => {
                let setup = |error: &reqwest::Error| FetchError::Setup { reason: root(error) };
                let (public, open) = built(false).map_err(|error| setup(&error))?;
                Ok(Self { public, open, no_tls: Some(root(&error)) })
            }
        }
    }

    /// The client behind a gate.
    ///
    /// # Errors
    /// [`FetchError::Setup`] when `https` can't work here.
    pub(super) fn behind(&self, gate: Gate, https: bool) -> Result<&Client, FetchError> {
        match &self.no_tls {
            Some(reason) if https => Err(FetchError::Setup {
                reason: format!(
                    "no certificates to check servers by ({reason}): install the system's ca-certificates"
                ),
            }),
            _ => Ok(match gate {
                Gate::Public => &self.public,
                Gate::Open => &self.open,
            }),
        }
    }
}

/// The innermost reason of an error. Those outside of it repeat addresses.
pub(super) fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// A thread with a runtime. It ends when this is dropped, and all that runs on it with it.
#[derive(Debug)]
pub(super) struct Worker {
    handle: Handle,
    clients: Clients,
    /// Taken to end the thread.
    alive: Mutex<Option<oneshot::Sender<()>>>,
    #[cfg(test)]
    ended: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Worker {
    /// # Errors
    /// [`FetchError::Setup`] when the system gives no thread.
    pub(super) fn start(limits: &FetchLimits) -> Result<Self, FetchError> {
        let setup = |error: std::io::Error| FetchError::Setup { reason: error.to_string() };
        let clients = Clients::new(limits)?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(LOOKUPS)
            .thread_name("fetch-lookup")
            .build()
            .map_err(setup)?;
        let handle = runtime.handle().clone();
        let (alive, dropped) = oneshot::channel::<()>();
        #[cfg(test)]
        let (running, ended) = std::sync::mpsc::sync_channel::<()>(1);
        thread::Builder::new()
            .name("fetch".into())
            .spawn(move || {
                #[cfg(test)]
                let _running = running;
                // Fails as soon as the sender is gone, which is what is waited for.
                let _ = runtime.block_on(dropped);
                // A look-up that hangs is left to itself.
                runtime.shutdown_background();
            })
            .map_err(setup)?;
        Ok(Self {
            handle,
            clients,
            alive: Mutex::new(Some(alive)),
            #[cfg(test)]
            ended: Mutex::new(Some(ended)),
        })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future on this thread, while the caller's waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, FetchError>> + Send + 'static,
    ) -> Result<T, FetchError> {
        wait(self.handle.spawn(future)).unwrap_or(Err(FetchError::Stopped))
    }

    /// Ends the thread: whoever waits for it gets [`FetchError::Stopped`].
    pub(super) fn stop(&self) {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Is disconnected when the thread has ended.
    #[cfg(test)]
    pub(super) fn ended(&self) -> std::sync::mpsc::Receiver<()> {
        self.ended.lock().unwrap().take().unwrap()
    }
}

/// Waits for a future on a thread that may belong to a runtime or not: the thread is blocked, nothing panics.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    // A task of a runtime has a budget, which would never be filled up again here.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_works_on_any_thread() {
        let worker = Worker::start(&FetchLimits::default()).unwrap();
        let ask = || {
            let (answer, answered) = oneshot::channel();
            worker.handle().spawn(async move { answer.send(7) });
            wait(answered).unwrap()
        };
        assert_eq!(ask(), 7);
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { ask() }), 7);
    }

    #[test]
    fn the_thread_ends_with_all_that_runs_on_it() {
        let worker = Worker::start(&FetchLimits::default()).unwrap();
        let ended = worker.ended();
        worker.handle().spawn(std::future::pending::<()>());
        drop(worker);
        let error = ended.recv_timeout(std::time::Duration::from_secs(60)).unwrap_err();
        assert_eq!(error, std::sync::mpsc::RecvTimeoutError::Disconnected);
    }
}
