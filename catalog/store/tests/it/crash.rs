//! A process killed while it writes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use causeway_model::{Catalog, DatasetVersion, Direction, StepState};

use crate::fixtures::append;
use crate::places::{Place, on_each_store};

on_each_store!(a_killed_writer_leaves_whole_steps);

const URL: &str = "CAUSEWAY_TEST_CATALOG";
const WRITER: &str = "CAUSEWAY_TEST_WRITER";

/// Appends for ever and says which versions are recorded.
#[tokio::test]
#[ignore = "the process that the other tests here start and kill"]
async fn writes_until_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let writer = std::env::var(WRITER).unwrap();
    let catalog = causeway_store::open(&url).await.unwrap();
    for n in 0.. {
        let version = append(&*catalog, "t", &format!("{writer}-{n}")).await.unwrap();
        writeln!(std::io::stdout(), "recorded {version}").unwrap();
    }
}

fn start(url: &str, writer: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writes_until_killed", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(WRITER, writer)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills with SIGKILL `after` the first record and returns the last version said to be recorded.
fn kill(mut child: Child, after: Duration) -> i64 {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged = lines.find_map(|line| recorded(&line)).unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    for version in lines.filter_map(|line| recorded(&line)) {
        acknowledged = version;
    }
    acknowledged
}

fn recorded(line: &str) -> Option<i64> {
    line.strip_prefix("recorded ")?.parse().ok()
}

/// Every version has its step, and lineage to the version before.
async fn assert_whole(catalog: &dyn Catalog) -> Vec<DatasetVersion> {
    catalog.check().await.unwrap();
    let versions = catalog.versions(None).await.unwrap();
    for (expected, version) in (0..).zip(&versions) {
        assert_eq!(version.version, expected);
        let rows = catalog.lineage(version.id, None, Direction::Upstream, Some(1)).await.unwrap();
        assert_eq!(rows.len(), usize::from(expected > 0), "version {expected}");
    }
    let steps = catalog.steps(None).await.unwrap();
    let succeeded = steps.iter().filter(|step| step.state == StepState::Succeeded).count();
    assert_eq!(succeeded, versions.len());
    let mut told = [0; 4];
    for record in catalog.changes(None).await.unwrap() {
        told[record.change.transition as usize] += 1;
    }
    let n_runs = catalog.runs(i64::MAX).await.unwrap().len();
    assert_eq!(told, [n_runs + steps.len(), succeeded, 0, 0], "each transition is told once");
    versions
}

async fn a_killed_writer_leaves_whole_steps(place: Place) {
    let url = place.url();
    for round in 0..12_u64 {
        let child = start(&url, &round.to_string());
        let acknowledged = kill(child, Duration::from_micros(700 * round * round));
        let catalog = place.open().await;
        let last = assert_whole(&*catalog).await.pop().unwrap();
        assert!(last.version == acknowledged || last.version == acknowledged + 1, "{} {acknowledged}", last.version);
        let unfinished = catalog.steps(None).await.unwrap().into_iter().filter(|s| s.state == StepState::Running);
        assert!(unfinished.count() as u64 <= round + 1);
    }
}
