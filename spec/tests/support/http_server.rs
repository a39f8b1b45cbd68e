//! A small HTTP server for tests, on this machine's loopback address, with faults on demand.
//!
//! ```ignore
//! let server = HttpServer::start();
//! server.put("/rows.csv", Body::new(bytes).fault(Fault::BreakAfter(1000), Times::First(2)));
//! let url = server.url("/rows.csv");
//! assert_eq!(server.requests()[1].header("range"), Some("bytes=1000-"));
//! ```
//!
//! It answers GET and HEAD with `ETag`, `Last-Modified`, ranges, `If-Range` and `If-Match`, one request per connection.
//! Faults of a body can be combined; each counts the requests for that body by itself. It needs the standard library alone,
//! so that any test can include it with `#[path]`.
#![allow(dead_code)] // not every test uses all of it

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// The date that bodies have, unless told otherwise.
pub(crate) const MODIFIED: &str = "Sat, 01 Jan 2022 00:00:00 GMT";

/// Longer than anything takes: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Closes the connection after so many bytes of the body.
    BreakAfter(usize),
    /// Sends so many bytes of the body, then nothing until the client closes.
    StallAfter(usize),
    /// One byte at a time, with a rest after each.
    Drip(Duration),
    /// Another `Content-Length` than the body has. Ends where the body ends.
    ClaimLength(u64),
    /// Another first byte in `Content-Range`.
    ClaimStart(u64),
    /// Another total in `Content-Range`.
    ClaimTotal(u64),
    /// No total in `Content-Range`.
    HideTotal,
    /// Sends the whole body, whatever was asked for.
    IgnoreRanges,
    /// Sends the range that was asked for without looking at `If-Range` and `If-Match`.
    IgnoreConditions,
    /// Parts are sent without `ETag` and `Last-Modified`.
    PartsWithoutValidators,
    /// No `Content-Length`: the body comes in chunks.
    Chunked,
    /// A redirect (302) to this `Location`.
    Redirect(String),
    /// This status and no body.
    Status(u16),
    /// Further headers of the answer, also of one with [`Fault::Status`].
    Header(&'static str, String),
    /// Never answers.
    NeverAnswer,
    /// Closes without an answer.
    Close,
    /// Answers with something that is no HTTP.
    Garbage,
}

/// To which of the requests for a body a fault applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// To so many, from the first on.
    First(usize),
    /// To all after so many.
    After(usize),
    /// To all.
    Always,
}

/// What lies at a path.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    state: State,
    later: Option<State>,
    faults: Vec<(Fault, Times)>,
}

#[derive(Debug, Clone)]
struct State {
    bytes: Arc<Vec<u8>>,
    etag: Option<String>,
    modified: Option<String>,
}

impl Body {
    /// Bytes, with an `ETag` made of them and [`MODIFIED`].
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        let state = State {
            bytes: Arc::new(bytes),
            etag: Some(format!("\"{hash:016x}\"")),
            modified: Some(MODIFIED.into()),
        };
        Self { state, later: None, faults: Vec::new() }
    }

    /// With another `ETag`, written as it is sent (quotes included), or none.
    pub(crate) fn etag(mut self, etag: Option<&str>) -> Self {
        self.state.etag = etag.map(Into::into);
        self
    }

    /// With another `Last-Modified`, or none.
    pub(crate) fn modified(mut self, modified: Option<&str>) -> Self {
        self.state.modified = modified.map(Into::into);
        self
    }

    /// Without `ETag` and `Last-Modified`.
    pub(crate) fn without_validators(self) -> Self {
        self.etag(None).modified(None)
    }

    /// From the second request on, `later` is served (its faults don't count).
    pub(crate) fn then(mut self, later: Self) -> Self {
        self.later = Some(later.state);
        self
    }

    /// From the second request on, other bytes are served under the same validators.
    pub(crate) fn then_unnoticed(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.later = Some(State { bytes: Arc::new(bytes.into()), ..self.state.clone() });
        self
    }

    /// With a fault.
    pub(crate) fn fault(mut self, fault: Fault, times: Times) -> Self {
        self.faults.push((fault, times));
        self
    }

    /// What the `turn`th request gets, from 0, and with which faults.
    fn at(&self, turn: usize) -> (State, Vec<Fault>) {
        let state = if turn == 0 { &self.state } else { self.later.as_ref().unwrap_or(&self.state) };
        let applies = |times: Times| match times {
            Times::First(count) => turn < count,
            Times::After(count) => turn >= count,
            Times::Always => true,
        };
        let faults = self.faults.iter().filter(|(_, times)| applies(*times)).map(|(fault, _)| fault.clone());
        (state.clone(), faults.collect())
    }
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET` or `HEAD`.
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What stood behind the `?`.
    pub(crate) query: Option<String>,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct Inner {
    bodies: BTreeMap<String, (Body, usize)>,
    requests: Vec<Request>,
    open: BTreeMap<u64, TcpStream>,
    /// Connections that were left hanging, and were then closed by the client.
    given_up: usize,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

/// A running server. Stops when dropped.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl HttpServer {
    /// Starts on a port of the system's choice.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let Ok(stream) = stream else { continue };
                let shared = serving.clone();
                {
                    let mut inner = shared.lock();
                    if inner.stopped {
                        return;
                    }
                    inner.open.insert(number, stream.try_clone().unwrap());
                }
                thread::spawn(move || {
                    // A client that goes away is no fault of the server's.
                    let _ = serve(&shared, &stream);
                    let _ = stream.shutdown(Shutdown::Both);
                    shared.lock().open.remove(&number);
                });
            }
        });
        Self { address, shared }
    }

    /// Lays a body at a path (beginning with `/`). Its requests are counted from there on.
    pub(crate) fn put(&self, path: &str, body: Body) {
        self.shared.lock().bodies.insert(path.into(), (body, 0));
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The whole address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// The requests for a path so far.
    pub(crate) fn requests_for(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// Waits until so many connections that were left hanging have been closed by the client.
    pub(crate) fn wait_until_given_up(&self, count: usize) {
        self.wait_for(&format!("{count} connections given up"), |inner| inner.given_up >= count);
    }

    /// Waits until so many requests have come.
    pub(crate) fn wait_until_asked(&self, count: usize) {
        self.wait_for(&format!("{count} requests"), |inner| inner.requests.len() >= count);
    }

    fn wait_for(&self, what: &str, enough: impl Fn(&Inner) -> bool) {
        let (_guard, waited) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), PATIENCE, |inner| !enough(inner))
            .unwrap();
        assert!(!waited.timed_out(), "waited in vain for {what}");
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        {
            let mut inner = self.shared.lock();
            inner.stopped = true;
            for stream in inner.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Wakes the thread that listens, which then sees that it has to stop.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(shared: &Shared, stream: &TcpStream) -> std::io::Result<()> {
    let Some(request) = read_request(stream)? else { return Ok(()) };
    let found = {
        let mut inner = shared.lock();
        inner.requests.push(request.clone());
        inner.bodies.get_mut(&request.path).map(|(body, turn)| {
            *turn += 1;
            body.at(*turn - 1)
        })
    };
    shared.changed.notify_all();
    let (state, faults) = found.unwrap_or_else(|| (Body::new("").state, vec![Fault::Status(404)]));
    let mut stream = stream;
    for fault in &faults {
        match fault {
            Fault::Close => return Ok(()),
            Fault::NeverAnswer => return hang(shared, stream),
            Fault::Garbage => return stream.write_all(b"220 this is another protocol\r\n\r\n"),
            _ => {}
        }
    }
    let answer = Answer::to(&request, state, &faults);
    if request.method == "HEAD" {
        return stream.write_all(answer.head.as_bytes());
    }
    send_body(shared, stream, &answer, &faults)
}

fn send_body(
    shared: &Shared,
    mut stream: &TcpStream,
    answer: &Answer,
    faults: &[Fault],
) -> std::io::Result<()> {
    let body = &answer.body[..];
    let has = |wanted: &Fault| faults.contains(wanted);
    let cut = faults.iter().find_map(|fault| match fault {
        Fault::BreakAfter(bytes) | Fault::StallAfter(bytes) => Some((*bytes).min(body.len())),
        _ => None,
    });
    let rest = faults.iter().find_map(|fault| match fault {
        Fault::Drip(rest) => Some(*rest),
        _ => None,
    });
    let chunked = has(&Fault::Chunked);
    let piece = if rest.is_some() { 1 } else { 16 << 10 };
    // The beginning goes out in one write with the head, so that a client never waits between the two.
    let mut out = answer.head.clone().into_bytes();
    for bytes in body[..cut.unwrap_or(body.len())].chunks(piece) {
        if chunked {
            out.extend(format!("{:x}\r\n", bytes.len()).into_bytes());
        }
        out.extend(bytes);
        if chunked {
            out.extend(b"\r\n");
        }
        stream.write_all(&out)?;
        out.clear();
        if let Some(rest) = rest {
            // Rests until the server stops, at most so long.
            let guard = shared.lock();
            let _ = shared.changed.wait_timeout_while(guard, rest, |inner| !inner.stopped).unwrap();
        }
    }
    stream.write_all(&out)?;
    if faults.iter().any(|fault| matches!(fault, Fault::StallAfter(_))) {
        return hang(shared, stream);
    }
    if chunked && cut.is_none() {
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// Does nothing until the client closes.
fn hang(shared: &Shared, mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let closed = match stream.read(&mut [0]) {
        Ok(bytes) => bytes == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    };
    let mut inner = shared.lock();
    if closed && !inner.stopped {
        inner.given_up += 1;
    }
    drop(inner);
    shared.changed.notify_all();
    Ok(())
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request { method: method.into(), path: path.into(), query, headers }))
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn to(request: &Request, state: State, faults: &[Fault]) -> Self {
        let has = |wanted: &Fault| faults.contains(wanted);
        let conditions = !has(&Fault::IgnoreConditions);
        let total = state.bytes.len();
        let mut status = 200;
        let mut body = state.bytes.to_vec();
        let mut headers: Vec<(&str, String)> = vec![("Connection", "close".into())];
        let same = |value: &str| [&state.etag, &state.modified].iter().any(|it| it.as_deref() == Some(value));
        let range = request.header("range").filter(|_| !has(&Fault::IgnoreRanges));
        let still = !conditions || request.header("if-range").is_none_or(same);
        match range.filter(|_| still).and_then(|text| ranges(text, total)) {
            None => {}
            Some(None) => {
                status = 416;
                body.clear();
                headers.push(("Content-Range", format!("bytes */{total}")));
            }
            Some(Some(range)) => {
                status = 206;
                body = state.bytes[range.clone()].to_vec();
                let shown = claims(faults, range.start as u64, total as u64);
                headers.push(("Content-Range", format!("bytes {}-{}/{}", shown.0, range.end - 1, shown.1)));
            }
        }
        if conditions && request.header("if-match").is_some_and(|value| !same(value)) {
            status = 412;
            body.clear();
        }
        if !(status == 206 && has(&Fault::PartsWithoutValidators)) {
            headers.extend(state.etag.map(|etag| ("ETag", etag)));
            headers.extend(state.modified.map(|modified| ("Last-Modified", modified)));
        }
        let mut length = body.len() as u64;
        for fault in faults {
            match fault {
                Fault::Redirect(to) => {
                    (status, length) = (302, 0);
                    body.clear();
                    headers.push(("Location", to.clone()));
                }
                Fault::Status(other) => {
                    (status, length) = (*other, 0);
                    body.clear();
                }
                Fault::ClaimLength(claim) => length = *claim,
                Fault::Header(name, value) => headers.push((name, value.clone())),
                _ => {}
            }
        }
        // A server that says less than it has sends what it has all the same: a client must not read it.
        headers.push(if has(&Fault::Chunked) {
            ("Transfer-Encoding", "chunked".into())
        } else {
            ("Content-Length", length.to_string())
        });
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Self { head: format!("HTTP/1.1 {status} Said\r\n{lines}\r\n"), body }
    }
}

/// First byte and total as `Content-Range` says them.
fn claims(faults: &[Fault], start: u64, total: u64) -> (u64, String) {
    faults.iter().fold((start, total.to_string()), |(start, total), fault| match fault {
        Fault::ClaimStart(claim) => (*claim, total),
        Fault::ClaimTotal(claim) => (start, claim.to_string()),
        Fault::HideTotal => (start, "*".into()),
        _ => (start, total),
    })
}

/// `bytes=first-last`, `bytes=first-` or `bytes=-count`. `None`: no such range, send all. `Some(None)`: beyond the end.
fn ranges(text: &str, total: usize) -> Option<Option<Range<usize>>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..total.min(last + 1),
        (Ok(first), Err(_)) if last.is_empty() => first..total,
        (Err(_), Ok(count)) if first.is_empty() => total.saturating_sub(count)..total,
        _ => return None,
    };
    Some((range.start < range.end).then_some(range))
}
