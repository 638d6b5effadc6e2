//! The HTTP transport against an endpoint that fails in every way.

use std::time::{Duration, Instant};

use causeway_openlineage::transport::{HttpSettings, HttpTransport, Token, Transport};
use causeway_openlineage::{Event, OpenLineageError, Subject, Transition};

use crate::endpoint::{Answer, Endpoint};
use crate::fixtures::{curve_step, emitter};

fn event() -> Event {
    emitter().event(Subject::Step(&curve_step()), Transition::Complete).unwrap()
}

fn quick() -> HttpSettings {
    HttpSettings { timeout_ms: 2_000, max_attempts: 3, first_pause_ms: 1, longest_pause_ms: 20 }
}

fn send(endpoint: &Endpoint, settings: HttpSettings, token: Option<Token>) -> Result<(), OpenLineageError> {
    let transport = HttpTransport::new(&endpoint.url, settings, token)?;
    run(transport.send(&event()))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

#[test]
fn an_event_is_posted_with_its_identity() {
    let endpoint = Endpoint::answering(&[]);
    send(&endpoint, quick(), None).unwrap();
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "POST /api/v1/lineage HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].header("idempotency-key"), Some(event().id.to_string().as_str()));
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[0].body, event().body);
}

#[test]
fn a_token_goes_along() {
    let endpoint = Endpoint::answering(&[]);
    send(&endpoint, quick(), Some(Token::new("s3cret").unwrap())).unwrap();
    assert_eq!(endpoint.requests()[0].header("authorization"), Some("Bearer s3cret"));
}

#[test]
fn a_busy_endpoint_is_asked_again_with_the_same_identity() {
    let endpoint = Endpoint::answering(&[Answer::Status(503, ""), Answer::Hang]);
    send(&endpoint, quick(), None).unwrap();
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 3);
    let ids: Vec<_> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn it_gives_up_for_now_after_the_last_attempt() {
    let endpoint = Endpoint::answering(&[Answer::Status(500, ""), Answer::Status(429, ""), Answer::Status(503, "")]);
    let error = send(&endpoint, quick(), None).unwrap_err();
    assert_eq!((error.code(), error.retryable(), error.concerns_one_event()), ("CW0904", true, false));
    assert!(error.to_string().contains("HTTP 503 Service Unavailable, 3 attempts"), "{error}");
    assert_eq!(endpoint.requests().len(), 3);
}

#[test]
fn it_waits_as_long_as_it_is_asked_to_within_its_own_bound() {
    let endpoint = Endpoint::answering(&[Answer::Status(429, "Retry-After: 3600\r\n")]);
    let started = Instant::now();
    send(&endpoint, HttpSettings { longest_pause_ms: 150, ..quick() }, None).unwrap();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn a_refused_event_is_posted_once() {
    for status in [400, 413, 422] {
        let endpoint = Endpoint::answering(&[Answer::Status(status, "")]);
        let error = send(&endpoint, quick(), None).unwrap_err();
        assert_eq!((error.code(), error.concerns_one_event()), ("CW0905", true));
        assert_eq!(endpoint.requests().len(), 1);
    }
}

#[test]
fn a_wrong_place_or_token_is_a_setting() {
    for status in [401, 403, 404] {
        let endpoint = Endpoint::answering(&[Answer::Status(status, "")]);
        let error = send(&endpoint, quick(), Some(Token::new("s3cret").unwrap())).unwrap_err();
        assert_eq!((error.code(), error.concerns_one_event(), error.retryable()), ("CW0903", false, false));
        assert!(error.to_string().contains("check its URL and the token"), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(endpoint.requests().len(), 1);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Endpoint::answering(&[]);
    let header: &'static str = format!("Location: {}\r\n", elsewhere.url).leak();
    let endpoint = Endpoint::answering(&[Answer::Status(307, header)]);
    let error = send(&endpoint, quick(), Some(Token::new("s3cret").unwrap())).unwrap_err();
    assert_eq!(error.code(), "CW0903");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn silence_ends() {
    let endpoint = Endpoint::answering(&[Answer::Silence(Duration::from_millis(800))]);
    let settings = HttpSettings { timeout_ms: 50, max_attempts: 1, ..quick() };
    let started = Instant::now();
    let error = send(&endpoint, settings, None).unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
}

#[test]
fn nobody_there_is_said() {
    let settings = HttpSettings { max_attempts: 1, ..quick() };
    let transport = HttpTransport::new("http://127.0.0.1:9/api", settings, None).unwrap();
    let error = run(transport.send(&event())).unwrap_err();
    assert_eq!(error.code(), "CW0904");
    assert!(error.to_string().contains("no connection"), "{error}");
}
