//! Reading from afar: over a real server on this machine that does everything wrong in turn.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use spec::{Address, Download, FetchError, FetchLimits, Fetcher, Origin, Reach, RemoteObject, S3Access};

#[path = "support/http_server.rs"]
mod http_server;

use http_server::{Body, Fault, HttpServer, MODIFIED, Times};

/// Waits between tries that are as good as none, and tries that count as progress from 1000 bytes on.
fn limits() -> FetchLimits {
    FetchLimits {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(1),
        longest_retry_after: Duration::ZERO,
        progress: 1000,
        ..FetchLimits::default()
    }
}

/// As above, and impatient.
fn impatient() -> FetchLimits {
    FetchLimits { idle: Duration::from_millis(100), ..limits() }
}

fn fetcher_with(limits: FetchLimits) -> Fetcher {
    Fetcher::new(Reach::anywhere(), limits, S3Access::default())
}

fn fetcher() -> Fetcher {
    fetcher_with(limits())
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Bytes that are nowhere the same.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn read(download: &mut Download) -> Result<Vec<u8>, FetchError> {
    let mut out = Vec::new();
    match download.read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(error) => Err(FetchError::within(&error).unwrap().clone()),
    }
}

fn get(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>, FetchError> {
    read(&mut fetcher.open(&address(url))?)
}

/// Serves one body, and gets it.
fn get_body(body: Body, limits: FetchLimits) -> (HttpServer, Result<Vec<u8>, FetchError>) {
    let server = HttpServer::start();
    server.put("/x", body);
    let got = get(&fetcher_with(limits), &server.url("/x"));
    (server, got)
}

/// What a first read gets before the error comes; the error comes again after that.
fn get_until_error(body: Body, limits: FetchLimits) -> (Vec<u8>, FetchError) {
    let server = HttpServer::start();
    server.put("/x", body);
    let mut download = fetcher_with(limits).open(&address(&server.url("/x"))).unwrap();
    let mut out = Vec::new();
    let error = download.read_to_end(&mut out).unwrap_err();
    let error = FetchError::within(&error).unwrap().clone();
    let again = download.read(&mut [0]).unwrap_err();
    assert_eq!(FetchError::within(&again), Some(&error));
    (out, error)
}

fn ranges(server: &HttpServer) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header("range").map(Into::into)).collect()
}

/// The last error behind the tries, and how many there were.
fn given_up(error: FetchError) -> (u32, FetchError) {
    match error {
        FetchError::GivenUp { tries, last } => (tries, *last),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_object_is_read_whole() {
    for size in [0, 1, 1000, 3_000_000] {
        for faults in [vec![], vec![Fault::Chunked], vec![Fault::IgnoreRanges]] {
            let mut body = Body::new(bytes(size));
            for fault in faults {
                body = body.fault(fault, Times::Always);
            }
            let (server, got) = get_body(body, limits());
            assert!(got.unwrap() == bytes(size), "{size}");
            let requests = server.requests();
            assert_eq!(requests.len(), 1);
            assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
            assert_eq!(requests[0].header("range"), None);
            for header in ["authorization", "cookie", "referer"] {
                assert_eq!(requests[0].header(header), None);
            }
        }
    }
}

#[test]
fn the_length_is_told_where_it_is_known() {
    let server = HttpServer::start();
    server.put("/known", Body::new(bytes(77)));
    server.put("/unknown", Body::new(bytes(77)).fault(Fault::Chunked, Times::Always));
    let length = |path| fetcher().open(&address(&server.url(path))).unwrap().length();
    assert_eq!(length("/known"), Some(77));
    assert_eq!(length("/unknown"), None);
}

#[test]
fn a_broken_transfer_is_resumed_where_it_broke() {
    let body = Body::new(bytes(1_000_000)).fault(Fault::BreakAfter(300_000), Times::First(2));
    let (server, got) = get_body(body, limits());
    assert!(got.unwrap() == bytes(1_000_000));
    assert_eq!(ranges(&server), [None, Some("bytes=300000-".into()), Some("bytes=600000-".into())]);
    let requests = server.requests();
    assert!(requests[1].header("if-range").unwrap().starts_with('"'));
}

#[test]
fn the_date_stands_in_for_a_weak_etag_or_none() {
    for etag in [None, Some("W/\"1\"")] {
        let body = Body::new(bytes(9000)).etag(etag).fault(Fault::BreakAfter(2000), Times::First(1));
        let (server, got) = get_body(body, limits());
        assert!(got.unwrap() == bytes(9000));
        assert_eq!(server.requests()[1].header("if-range"), Some(MODIFIED));
    }
}

#[test]
fn without_validators_it_is_read_again_and_compared() {
    let first =
        || Body::new(bytes(9000)).without_validators().fault(Fault::BreakAfter(2000), Times::First(1));
    let (server, got) = get_body(first(), limits());
    assert!(got.unwrap() == bytes(9000));
    assert_eq!(ranges(&server), [None, None]);

    let mut other = bytes(9000);
    other[1999] ^= 1;
    for later in [bytes(9001), other] {
        let later = Body::new(later).without_validators();
        let (got, error) = get_until_error(first().then(later), limits());
        assert_eq!(error, FetchError::Changed);
        assert!(got == bytes(2000));
    }
}

#[test]
fn a_transfer_that_breaks_in_chunks_is_resumed_too() {
    let body = Body::new(bytes(100_000))
        .fault(Fault::Chunked, Times::Always)
        .fault(Fault::BreakAfter(40_000), Times::First(1));
    assert!(get_body(body, limits()).1.unwrap() == bytes(100_000));
    // Broken exactly at the end, where nothing but the mark of the end is missing.
    let body = Body::new(bytes(5000))
        .fault(Fault::Chunked, Times::Always)
        .fault(Fault::BreakAfter(5000), Times::First(1));
    let (server, got) = get_body(body, limits());
    assert!(got.unwrap() == bytes(5000));
    assert_eq!(ranges(&server), [None, Some("bytes=5000-".into()), None]);
}

#[test]
fn tries_without_progress_end_with_both_numbers() {
    let (got, error) =
        get_until_error(Body::new(bytes(9000)).fault(Fault::BreakAfter(10), Times::Always), limits());
    assert!(got == bytes(50));
    assert_eq!(given_up(error), (5, FetchError::Broken { expected: Some(9000), got: 50 }));
}

#[test]
fn tries_with_progress_go_on_until_tries_are_used_up() {
    let body = || Body::new(bytes(63_500)).fault(Fault::BreakAfter(1000), Times::Always);
    let (server, got) = get_body(body(), limits());
    assert!(got.unwrap() == bytes(63_500));
    assert_eq!(server.requests().len(), 64);
    let (got, error) = get_until_error(body(), FetchLimits { tries: 10, ..limits() });
    assert!(got == bytes(10_000));
    assert_eq!(given_up(error), (10, FetchError::Broken { expected: Some(63_500), got: 10_000 }));
}

#[test]
fn a_stall_is_a_break() {
    let body = Body::new(bytes(9000)).fault(Fault::StallAfter(2000), Times::First(1));
    let (server, got) = get_body(body, impatient());
    assert!(got.unwrap() == bytes(9000));
    server.wait_until_given_up(1);
    let (got, error) =
        get_until_error(Body::new(bytes(9000)).fault(Fault::StallAfter(100), Times::Always), impatient());
    assert_eq!(given_up(error), (5, FetchError::Idle { millis: 100, got: 500 }));
    assert!(got == bytes(500));
}

#[test]
fn a_dripping_server_is_given_up() {
    let body = Body::new(bytes(1_000_000)).fault(Fault::Drip(Duration::from_millis(2)), Times::Always);
    let slow = FetchLimits {
        pace_bytes: 900_000,
        pace_window: Duration::from_millis(50),
        fruitless_tries: 2,
        progress: 1 << 20,
        ..limits()
    };
    let (_, error) = get_until_error(body, slow);
    assert_eq!(given_up(error), (2, FetchError::TooSlow { bytes: 900_000, seconds: 0 }));
}

#[test]
fn a_length_that_is_too_large_is_told_with_both_numbers() {
    let body = Body::new(bytes(500)).fault(Fault::ClaimLength(800), Times::Always);
    let (got, error) = get_until_error(body, limits());
    assert!(got == bytes(500));
    assert_eq!(given_up(error), (5, FetchError::Broken { expected: Some(800), got: 500 }));
}

#[test]
fn a_length_that_is_too_small_is_believed() {
    // Nothing tells it from a shorter object.
    let (_, got) = get_body(Body::new(bytes(500)).fault(Fault::ClaimLength(300), Times::Always), limits());
    assert!(got.unwrap() == bytes(300));
}

#[test]
fn without_ranges_the_beginning_is_read_again_and_compared() {
    for validators in [true, false] {
        let mut body = Body::new(bytes(90_000))
            .fault(Fault::IgnoreRanges, Times::Always)
            .fault(Fault::BreakAfter(50_000), Times::First(3));
        if !validators {
            body = body.without_validators();
        }
        let (server, got) = get_body(body, limits());
        assert!(got.unwrap() == bytes(90_000));
        assert_eq!(server.requests().len(), 4);
    }
}

#[test]
fn another_object_is_never_joined_to_the_first_half_of_one() {
    let first = || Body::new(bytes(90_000)).fault(Fault::BreakAfter(50_000), Times::First(1));
    let mut other = bytes(90_000);
    other[10] ^= 1;
    let plain = |bytes: &[u8]| Body::new(bytes);
    for body in [
        // With another ETag: the server answers If-Range with the whole of the new one.
        first().then(plain(&other)),
        first().then(plain(&other)).fault(Fault::IgnoreConditions, Times::Always),
        first().then(plain(&other)).fault(Fault::IgnoreRanges, Times::Always),
        // Under the same ETag, or none: the bytes that were read already tell, where they come again.
        first().then_unnoticed(&other[..]).fault(Fault::IgnoreRanges, Times::Always),
        first()
            .without_validators()
            .then(plain(&other).without_validators())
            .fault(Fault::IgnoreRanges, Times::Always),
        first()
            .without_validators()
            .then(plain(&other[..40_000]).without_validators())
            .fault(Fault::IgnoreRanges, Times::Always)
            .fault(Fault::Chunked, Times::Always),
        // Of another length under the same ETag.
        first().then_unnoticed(&other[..80_000]),
        first().then_unnoticed(&other[..80_000]).fault(Fault::IgnoreRanges, Times::Always),
    ] {
        let (got, error) = get_until_error(body, limits());
        assert_eq!(error, FetchError::Changed);
        assert!(got == bytes(50_000));
    }
}

#[test]
fn one_that_changed_before_a_byte_was_read_is_read() {
    let body = Body::new(bytes(9000)).fault(Fault::BreakAfter(0), Times::First(1)).then(Body::new("short"));
    assert_eq!(get_body(body, limits()).1.unwrap(), b"short");
}

#[test]
fn parts_that_say_nonsense_make_it_read_the_whole() {
    for fault in [Fault::ClaimStart(7), Fault::ClaimStart(99_999_999), Fault::PartsWithoutValidators] {
        let body = Body::new(bytes(9000))
            .fault(Fault::BreakAfter(2000), Times::First(1))
            .fault(fault.clone(), Times::Always);
        let (server, got) = get_body(body, limits());
        assert!(got.unwrap() == bytes(9000), "{fault:?}");
        assert_eq!(ranges(&server), [None, Some("bytes=2000-".into()), None], "{fault:?}");
    }
    let body = Body::new(bytes(9000))
        .fault(Fault::BreakAfter(2000), Times::First(1))
        .fault(Fault::ClaimTotal(10_000), Times::Always);
    assert_eq!(get_until_error(body, limits()).1, FetchError::Changed);
    let body = Body::new(bytes(9000))
        .fault(Fault::BreakAfter(2000), Times::First(1))
        .fault(Fault::HideTotal, Times::Always);
    assert!(get_body(body, limits()).1.unwrap() == bytes(9000));
}

#[test]
fn a_part_shorter_or_longer_than_it_says() {
    let broken = || Body::new(bytes(9000)).fault(Fault::BreakAfter(2000), Times::First(1));
    let (server, got) = get_body(broken().fault(Fault::ClaimLength(100), Times::After(1)), limits());
    assert_eq!(given_up(got.unwrap_err()), (6, FetchError::Broken { expected: Some(9000), got: 2500 }));
    assert_eq!(ranges(&server)[4].as_deref(), Some("bytes=2300-"));
    // All is there: what else was announced doesn't matter.
    let (server, got) = get_body(broken().fault(Fault::ClaimLength(7001), Times::After(1)), limits());
    assert!(got.unwrap() == bytes(9000));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn busy_servers_are_asked_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let body = Body::new("rows")
            .fault(Fault::Status(status), Times::First(3))
            .fault(Fault::Header("Retry-After", "1".into()), Times::First(1));
        let (server, got) = get_body(body, limits());
        assert_eq!(got.unwrap(), b"rows", "{status}");
        assert_eq!(server.requests().len(), 4);
        let (server, got) = get_body(Body::new("").fault(Fault::Status(status), Times::Always), limits());
        let (tries, last) = given_up(got.unwrap_err());
        assert!(matches!(last, FetchError::Status { status: it, .. } if it == status));
        assert_eq!((tries, server.requests().len()), (5, 5));
    }
}

#[test]
fn other_answers_fail_at_once() {
    for status in [201, 204, 206, 300, 302, 304, 400, 401, 403, 404, 410, 416, 451, 501, 505] {
        let (server, got) = get_body(Body::new("").fault(Fault::Status(status), Times::Always), limits());
        let error = got.unwrap_err();
        if status == 206 {
            assert!(matches!(error, FetchError::Answer { .. }));
        } else {
            assert!(matches!(error, FetchError::Status { status: it, .. } if it == status), "{error:?}");
        }
        assert_eq!(server.requests().len(), 1, "{status}");
    }
    let server = HttpServer::start();
    let error = get(&fetcher(), &server.url("/nothing?SECRET")).unwrap_err().to_string();
    assert!(error.contains("404: there is nothing at this address") && !error.contains("SECRET"), "{error}");
}

#[test]
fn a_server_that_gives_no_answer_is_given_up() {
    let short = FetchLimits { connect: Duration::from_secs(1), fruitless_tries: 2, ..impatient() };
    let (server, got) = get_body(Body::new("").fault(Fault::NeverAnswer, Times::Always), short);
    assert_eq!(given_up(got.unwrap_err()), (2, FetchError::Idle { millis: 1100, got: 0 }));
    server.wait_until_given_up(2);
    for fault in [Fault::Close, Fault::Garbage] {
        let (server, got) = get_body(Body::new("rows").fault(fault.clone(), Times::First(4)), limits());
        assert_eq!(got.unwrap(), b"rows");
        assert_eq!(server.requests().len(), 5);
        let (_, got) = get_body(Body::new("rows").fault(fault, Times::Always), limits());
        let (tries, last) = given_up(got.unwrap_err());
        assert!(tries == 5 && matches!(last, FetchError::Request { .. }), "{last:?}");
    }
}

#[test]
fn a_port_where_nobody_listens_is_tried_and_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = get(&fetcher(), &format!("http://127.0.0.1:{port}/x")).unwrap_err();
    let (tries, last) = given_up(error);
    assert!(
        tries == 5 && matches!(&last, FetchError::Connect { host, .. } if host == "127.0.0.1"),
        "{last:?}"
    );
}

#[test]
fn https_where_there_is_none_is_told() {
    let server = HttpServer::start();
    server.put("/x", Body::new("rows"));
    let error = get(&fetcher(), &server.url("/x").replace("http:", "https:")).unwrap_err();
    assert!(matches!(given_up(error).1, FetchError::Connect { .. }));
}

#[test]
fn packed_answers_are_refused_but_for_packed_files() {
    let server = HttpServer::start();
    let gzip = Fault::Header("Content-Encoding", "gzip".into());
    for path in ["/rows.csv.gz", "/rows.csv"] {
        server.put(path, Body::new(bytes(5000)).fault(gzip.clone(), Times::Always));
    }
    server.put(
        "/plain",
        Body::new("x").fault(Fault::Header("Content-Encoding", "identity".into()), Times::Always),
    );
    assert!(get(&fetcher(), &server.url("/rows.csv.gz")).unwrap() == bytes(5000), "as they are");
    assert_eq!(get(&fetcher(), &server.url("/plain")).unwrap(), b"x");
    let error = get(&fetcher(), &server.url("/rows.csv")).unwrap_err();
    assert_eq!(error, FetchError::Encoding { encoding: "gzip".into() });
}

#[test]
fn larger_objects_than_allowed_are_not_read() {
    let small = || FetchLimits { bytes: 5000, ..limits() };
    assert!(get_body(Body::new(bytes(5000)), small()).1.unwrap() == bytes(5000));
    assert_eq!(get_body(Body::new(bytes(5001)), small()).1, Err(FetchError::TooLarge { limit: 5000 }));
    let body = Body::new(bytes(50_000)).fault(Fault::Chunked, Times::Always);
    let (got, error) = get_until_error(body, small());
    assert_eq!(error, FetchError::TooLarge { limit: 5000 });
    assert!(got.len() <= 5000 && got == bytes(got.len()));
}

#[test]
fn redirects_are_followed_up_to_five_and_not_to_other_schemes() {
    let server = HttpServer::start();
    server.put("/0", Body::new("there"));
    for hop in 1..=6 {
        let to = if hop % 2 == 0 { format!("/{}", hop - 1) } else { server.url(&format!("/{}", hop - 1)) };
        server.put(&format!("/{hop}"), Body::new("").fault(Fault::Redirect(to), Times::Always));
    }
    assert_eq!(get(&fetcher(), &server.url("/5")).unwrap(), b"there");
    assert!(server.requests().iter().all(|request| request.header("referer").is_none()));
    let error = get(&fetcher(), &server.url("/6")).unwrap_err().to_string();
    assert!(error.contains("too many") && error.contains("/0"), "{error}");

    server.put("/loop", Body::new("").fault(Fault::Redirect("/loop".into()), Times::Always));
    assert!(matches!(get(&fetcher(), &server.url("/loop")), Err(FetchError::Redirect { .. })));
    assert_eq!(server.requests_for("/loop").len(), 6);

    for to in ["ftp://127.0.0.1/SECRET", "file:///etc/passwd", "http://u:SECRET@127.0.0.1/"] {
        server.put("/away", Body::new("").fault(Fault::Redirect(to.into()), Times::Always));
        let error = get(&fetcher(), &server.url("/away")).unwrap_err();
        assert!(matches!(error, FetchError::Redirect { .. }), "{error:?}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
}

#[test]
fn this_machine_is_refused_under_all_its_names() {
    let server = HttpServer::start();
    server.put("/x", Body::new("secret"));
    let port = server.port();
    let public = Fetcher::new(Reach::public(), limits(), S3Access::default());
    for host in
        ["127.0.0.1", "127.1", "0x7f000001", "0", "[::ffff:127.0.0.1]", "[::1]", "localhost", "LOCALHOST"]
    {
        for text in [format!("http://{host}:{port}/x"), format!("https://{host}:{port}/x")] {
            let error = public.open(&address(&text)).unwrap_err();
            assert!(error.is_refusal(), "{text}: {error}");
            assert!(error.to_string().contains("--allow-local"), "{error}");
            let error = public.object(&address(&text)).unwrap_err();
            assert!(error.is_refusal(), "{text}: {error}");
        }
    }
    let error = public.open(&address(&format!("http://localhost:{port}/x"))).unwrap_err().to_string();
    assert!(error.contains("localhost is "), "{error}");
    // Some systems don't know it with a dot; those that do find the same.
    let error = public.open(&address(&format!("http://localhost.:{port}/x"))).unwrap_err();
    assert!(error.is_refusal() || matches!(given_up(error).1, FetchError::Connect { .. }));
    assert_eq!(server.requests(), []);
    let anywhere = fetcher();
    for host in ["127.1", "localhost", "[::ffff:127.0.0.1]"] {
        assert_eq!(get(&anywhere, &format!("http://{host}:{port}/x")).unwrap(), b"secret");
    }
}

#[test]
fn a_typed_origin_is_read_and_its_redirects_are_judged() {
    let (typed, other) = (HttpServer::start(), HttpServer::start());
    other.put("/x", Body::new("secret"));
    typed.put("/x", Body::new("rows"));
    typed.put("/home", Body::new("").fault(Fault::Redirect("/x".into()), Times::Always));
    let named = format!("http://localhost:{}/x", other.port());
    for (path, to) in [("/ip", other.url("/x")), ("/name", named), ("/port", "http://127.0.0.1/x".into())] {
        typed.put(path, Body::new("").fault(Fault::Redirect(to), Times::Always));
    }
    let origin: Origin = typed.origin().parse().unwrap();
    let fetcher = Fetcher::new(Reach::public().with_origin(origin), limits(), S3Access::default());
    assert_eq!(get(&fetcher, &typed.url("/x")).unwrap(), b"rows");
    assert_eq!(get(&fetcher, &typed.url("/home")).unwrap(), b"rows");
    for path in ["/ip", "/name", "/port"] {
        let error = get(&fetcher, &typed.url(path)).unwrap_err();
        assert!(error.is_refusal(), "{path}: {error}");
    }
    assert!(get(&fetcher, &other.url("/x")).unwrap_err().is_refusal());
    assert_eq!(other.requests(), []);
    let strict = fetcher.with_reach(Reach::public());
    assert!(get(&strict, &typed.url("/x")).unwrap_err().is_refusal());
}

#[test]
fn a_name_typed_as_origin_is_looked_up_freely() {
    let server = HttpServer::start();
    server.put("/x", Body::new("rows"));
    let origin: Origin = format!("http://localhost:{}", server.port()).parse().unwrap();
    let fetcher = Fetcher::new(Reach::public().with_origin(origin), limits(), S3Access::default());
    assert_eq!(get(&fetcher, &format!("http://localhost:{}/x", server.port())).unwrap(), b"rows");
    // The connection that is open now is not used for another name of the same place.
    assert!(get(&fetcher, &server.url("/x")).unwrap_err().is_refusal());
}

#[test]
fn a_reader_that_stops_ends_the_transfer() {
    let server = HttpServer::start();
    server.put("/stall", Body::new(bytes(9000)).fault(Fault::StallAfter(2000), Times::Always));
    server.put("/drip", Body::new(bytes(9000)).fault(Fault::Drip(Duration::from_millis(1)), Times::Always));
    let fetcher = fetcher();
    let mut download = fetcher.open(&address(&server.url("/stall"))).unwrap();
    download.read_exact(&mut [0; 2000]).unwrap();
    drop(download);
    server.wait_until_given_up(1);
    drop(fetcher.open(&address(&server.url("/drip"))).unwrap());
    // A slow reader holds the transfer up, and no memory fills: most of it stays where it is until it is read.
    server.put("/large", Body::new(bytes(30_000_000)));
    let mut download = fetcher.open(&address(&server.url("/large"))).unwrap();
    download.read_exact(&mut [0; 1]).unwrap();
    drop(download);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn it_works_on_threads_of_a_runtime() {
    let server = HttpServer::start();
    server.put("/x", Body::new(bytes(300_000)));
    let url = server.url("/x");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (fetcher, text) = (fetcher(), url.clone());
    assert!(runtime.block_on(async { get(&fetcher, &text).unwrap() }) == bytes(300_000));
    let (cloned, text) = (fetcher.clone(), url.clone());
    let got = runtime.block_on(async move {
        tokio::task::spawn_blocking(move || get(&cloned, &text).unwrap()).await.unwrap()
    });
    assert!(got == bytes(300_000));
    drop(runtime);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (fetcher, text) = (fetcher.clone(), url.clone());
            std::thread::spawn(move || get(&fetcher, &text).unwrap())
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() == bytes(300_000));
    }
}

#[test]
fn a_download_outlives_its_fetcher() {
    let server = HttpServer::start();
    server.put("/x", Body::new(bytes(5_000_000)));
    let mut download = fetcher().open(&address(&server.url("/x"))).unwrap();
    assert!(read(&mut download).unwrap() == bytes(5_000_000));
    assert_eq!(download.read(&mut [0; 10]).unwrap(), 0);
    let taken: Box<dyn Read + Send> = Box::new(download);
    assert!(io::read_to_string(taken).unwrap().is_empty());
}

fn object(server: &HttpServer, limits: FetchLimits) -> Result<RemoteObject, FetchError> {
    fetcher_with(limits).object(&address(&server.url("/x")))
}

#[test]
fn parts_of_an_object_are_read() {
    let server = HttpServer::start();
    let all = bytes(100_000);
    server.put("/x", Body::new(&all[..]).fault(Fault::BreakAfter(2000), Times::First(10)));
    let object = object(&server, limits()).unwrap();
    assert_eq!(object.len(), 100_000);
    for range in [0..10, 50_000..60_000, 99_990..100_000, 7..7, 0..100_000] {
        let wanted = &all[range.start as usize..range.end as usize];
        assert!(object.read(range.clone()).unwrap() == wanted, "{range:?}");
    }
    assert_eq!(ranges(&server)[1].as_deref(), Some("bytes=0-9"));
    assert_eq!(ranges(&server)[3].as_deref(), Some("bytes=52000-59999"));
    assert!(server.requests()[1..].iter().all(|request| request.header("if-match").is_some()));
    for range in [0..100_001, 100_001..100_001, Range { start: 5, end: 4 }] {
        assert!(matches!(object.read(range), Err(FetchError::OutOfRange { length: 100_000, .. })));
    }
}

#[test]
fn empty_objects_and_servers_without_ranges() {
    let server = HttpServer::start();
    server.put("/x", Body::new(""));
    assert_eq!(object(&server, limits()).unwrap().len(), 0);
    for fault in [Fault::IgnoreRanges, Fault::HideTotal] {
        server.put("/x", Body::new(bytes(9000)).fault(fault, Times::Always));
        assert_eq!(object(&server, limits()).unwrap_err(), FetchError::NoRanges);
    }
    server.put("/x", Body::new(bytes(9000)).without_validators());
    assert_eq!(object(&server, limits()).unwrap_err(), FetchError::NoRanges, "could be of two states");
    server.put("/x", Body::new(bytes(9000)).fault(Fault::IgnoreRanges, Times::After(1)));
    let object = object(&server, limits()).unwrap();
    assert_eq!(object.read(0..5), Err(FetchError::NoRanges));
}

#[test]
fn parts_are_of_one_state_of_an_object() {
    let server = HttpServer::start();
    let all = bytes(9000);
    let other = bytes(9001);
    for body in [
        Body::new(&all[..]).then(Body::new(&other[1..])),
        Body::new(&all[..]).then(Body::new(&other[1..])).fault(Fault::IgnoreConditions, Times::Always),
        Body::new(&all[..]).then(Body::new(&other[1..])).fault(Fault::IgnoreRanges, Times::After(1)),
        Body::new(&all[..]).then_unnoticed(&other[..]),
        Body::new(&all[..]).then_unnoticed(&other[..50]),
        Body::new(&all[..]).fault(Fault::ClaimTotal(9001), Times::After(1)),
        Body::new(&all[..]).etag(None).then(Body::new(&all[..]).etag(None).modified(Some("later"))),
    ] {
        server.put("/x", body);
        let object = object(&server, limits()).unwrap();
        assert_eq!(object.read(100..200), Err(FetchError::Changed));
    }
}

#[test]
fn parts_that_are_not_what_was_asked_for_are_not_taken() {
    let server = HttpServer::start();
    for (fault, times) in [
        (Fault::ClaimStart(7), Times::After(1)),
        (Fault::PartsWithoutValidators, Times::After(1)),
        (Fault::ClaimStart(1), Times::Always),
    ] {
        server.put("/x", Body::new(bytes(9000)).fault(fault.clone(), times));
        let read = object(&server, limits()).and_then(|object| object.read(100..200));
        let (tries, last) = given_up(read.unwrap_err());
        assert!(tries == 5 && matches!(last, FetchError::Answer { .. }), "{fault:?} {last:?}");
    }
    server.put("/x", Body::new(bytes(9000)).fault(Fault::ClaimLength(9000), Times::After(1)));
    let object = object(&server, limits()).unwrap();
    assert!(object.read(100..200).unwrap() == bytes(200)[100..], "all is there, whatever else was announced");
    server.put("/x", Body::new(bytes(9000)).fault(Fault::ClaimLength(10), Times::Always));
    let (tries, last) = given_up(object.read(100..200).unwrap_err());
    assert_eq!((tries, last), (5, FetchError::Broken { expected: Some(9000), got: 150 }));
}

#[test]
fn parts_are_asked_for_again_too() {
    let server = HttpServer::start();
    let busy = Body::new(bytes(9000)).fault(Fault::Status(503), Times::First(2));
    server.put("/x", busy.clone());
    assert_eq!(object(&server, limits()).unwrap().len(), 9000);
    server.put("/x", busy.fault(Fault::StallAfter(10), Times::Always));
    let object = object(&server, impatient()).unwrap();
    assert!(object.read(100..140).unwrap() == bytes(140)[100..]);
    assert_eq!(given_up(object.read(100..200).unwrap_err()).0, 5);
    assert_eq!(
        fetcher().object(&address(&server.url("/nothing"))).unwrap_err().to_string(),
        "the server answers 404: there is nothing at this address: check it"
    );
}

#[test]
fn an_object_is_read_by_several_threads() {
    let server = HttpServer::start();
    let all = bytes(400_000);
    server.put("/x", Body::new(&all[..]));
    let object = object(&server, limits()).unwrap();
    std::thread::scope(|scope| {
        for part in 0..8u64 {
            let (object, all) = (&object, &all);
            scope.spawn(move || {
                let range = part * 50_000..(part + 1) * 50_000;
                let wanted = &all[range.start as usize..range.end as usize];
                assert!(object.read(range).unwrap() == wanted);
            });
        }
    });
}
