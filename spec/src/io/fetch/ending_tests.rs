//! Transfers end when nobody wants them any more, whatever they wait for.

use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{Address, FetchError, FetchLimits, Fetcher, Reach, S3Access};

#[path = "../../../tests/support/http_server.rs"]
mod http_server;

use http_server::{Body, Fault, HttpServer, Times};

/// Longer than any test may take.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn fetcher() -> Fetcher {
    let limits = FetchLimits { first_wait: HOUR, longest_wait: HOUR, idle: HOUR, ..FetchLimits::default() };
    Fetcher::new(Reach::anywhere(), limits, S3Access::default())
}

fn serve(fault: Fault) -> (HttpServer, Address) {
    let server = HttpServer::start();
    server.put("/x", Body::new(vec![7; 9000]).fault(fault, Times::Always));
    let address = server.url("/x").parse().unwrap();
    (server, address)
}

/// Faults, after 2000 bytes: the transfer then waits for an hour, for the server or for its next try.
const WAITS: [Fault; 2] = [Fault::StallAfter(2000), Fault::BreakAfter(2000)];

#[test]
fn dropping_a_download_ends_its_thread() {
    for fault in WAITS {
        let (_server, address) = serve(fault);
        let fetcher = fetcher();
        let mut download = fetcher.open(&address).unwrap();
        download.read_exact(&mut [0; 2000]).unwrap();
        let ended = fetcher.worker().unwrap().ended();
        drop(fetcher);
        drop(download);
        assert_eq!(ended.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }
}

#[test]
fn dropping_a_download_ends_its_transfer_and_no_other() {
    for fault in WAITS {
        let (_server, address) = serve(fault);
        let fetcher = fetcher();
        let [mut first, mut second] = [(); 2].map(|()| fetcher.open(&address).unwrap());
        first.read_exact(&mut [0; 2000]).unwrap();
        let gone = first.until_gone();
        drop(first);
        let (said, heard) = sync_channel(1);
        thread::spawn(move || {
            super::worker::wait(gone);
            said.send(())
        });
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
        second.read_exact(&mut [0; 2000]).unwrap();
    }
}

#[test]
fn stopping_ends_reads_and_calls_that_wait() {
    for fault in WAITS {
        let (_server, address) = serve(fault);
        let fetcher = fetcher();
        let mut download = fetcher.open(&address).unwrap();
        download.read_exact(&mut [0; 2000]).unwrap();
        let reading = thread::spawn(move || download.read(&mut [0]).unwrap_err());
        fetcher.stop();
        assert_eq!(FetchError::within(&reading.join().unwrap()), Some(&FetchError::Stopped));
    }
    for fault in [Fault::NeverAnswer, Fault::Status(503)] {
        let (server, address) = serve(fault);
        let fetcher = fetcher();
        let calls = [false, true].map(|whole| {
            let (fetcher, address) = (fetcher.clone(), address.clone());
            thread::spawn(move || match whole {
                true => fetcher.open(&address).map(drop),
                false => fetcher.object(&address).map(drop),
            })
        });
        server.wait_until_asked(2);
        fetcher.stop();
        for call in calls {
            assert_eq!(call.join().unwrap(), Err(FetchError::Stopped));
        }
        assert_eq!(fetcher.open(&address).unwrap_err(), FetchError::Stopped, "for good");
        assert_eq!(fetcher.object(&address).unwrap_err(), FetchError::Stopped, "for good");
    }
}
