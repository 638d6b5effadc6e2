//! The file transport.

use std::path::Path;

use causeway_openlineage::transport::{FileTransport, Transport};
use causeway_openlineage::{Event, Subject, Transition};
use serde_json::Value;

use crate::fixtures::{curve_step, emitter};

fn event(transition: Transition) -> Event {
    emitter().event(Subject::Step(&curve_step()), transition).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

fn append(path: &Path, transitions: &[Transition]) {
    let transport = FileTransport::open(path).unwrap();
    assert!(transport.is_buffered());
    for transition in transitions {
        run(transport.send(&event(*transition))).unwrap();
    }
    run(transport.sync()).unwrap();
}

/// The event types of the lines that are JSON, and how many lines are not.
fn lines(path: &Path) -> (Vec<String>, usize) {
    let text = std::fs::read_to_string(path).unwrap();
    let parsed: Vec<_> = text.lines().map(serde_json::from_str::<Value>).collect();
    let broken = parsed.iter().filter(|line| line.is_err()).count();
    let types = parsed.into_iter().flatten().map(|event| event["eventType"].as_str().unwrap().to_owned());
    (types.collect(), broken)
}

#[test]
fn events_are_lines_and_a_second_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    append(&path, &[Transition::Start, Transition::Complete]);
    append(&path, &[Transition::Fail]);
    assert_eq!(lines(&path), (vec!["START".into(), "COMPLETE".into(), "FAIL".into()], 0));
}

#[test]
fn half_a_line_costs_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    append(&path, &[Transition::Start, Transition::Complete]);
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 40]).unwrap();
    append(&path, &[Transition::Complete, Transition::Abort]);
    assert_eq!(lines(&path), (vec!["START".into(), "COMPLETE".into(), "ABORT".into()], 1));
}

#[test]
fn writers_at_once_do_not_cut_each_other_s_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| append(&path, &[Transition::Complete; 25]));
        }
    });
    let (types, broken) = lines(&path);
    assert_eq!((types.len(), broken), (100, 0));
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    append(&path, &[]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_opened_is_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let error = FileTransport::open(&folder.path().join("none/events.ndjson")).unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("CW0903", false));
    assert!(error.to_string().contains("events.ndjson cannot be opened"), "{error}");
}
