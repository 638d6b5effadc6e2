//! Workers that a fault waits for.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::within;
use crate::product::Product;

/// A worker with a plan of faults, killed at the end of its test.
pub(super) struct Doomed {
    child: Child,
    marks: PathBuf,
    said: PathBuf,
}

impl Doomed {
    /// Starts a worker, with a lease of a second if the options do not say otherwise.
    pub(super) fn start(lake: &Product, faults: &str, options: &[&str]) -> Self {
        let worker: &[&str] = match options.contains(&"--lease-seconds") {
            true => &["worker"],
            false => &["worker", "--lease-seconds", "1"],
        };
        Self::run(lake, lake.command(&[worker, options].concat()), faults)
    }

    /// Starts a command.
    pub(super) fn run(lake: &Product, mut command: Command, faults: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| lake.folder().parent().unwrap().join(format!("doomed-{number}.{kind}"));
        let (marks, said) = (file("marks"), file("said"));
        command.env("CAUSEWAY_FAILPOINTS", faults).env("CAUSEWAY_FAILPOINT_MARKS", &marks);
        let child = command.stdout(Stdio::null()).stderr(File::create(&said).unwrap()).spawn().unwrap();
        Self { child, marks, said }
    }

    /// Returns true if a fault of this place has happened.
    pub(super) fn has_fired(&self, point: &str) -> bool {
        let marks = std::fs::read_to_string(&self.marks).unwrap_or_default();
        marks.lines().any(|mark| mark.starts_with(&format!("{point}@")))
    }

    /// Returns what it wrote to standard error.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns true if it is stopped by a signal.
    pub(super) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    }

    /// Waits until it has killed itself at a place.
    pub(super) fn dies_at(&mut self, point: &str, mut meanwhile: impl FnMut()) {
        within(&format!("death at {point}"), || {
            meanwhile();
            self.has_ended()
        });
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{point}: {status}: {}", self.said());
        assert!(self.has_fired(point), "{point}: it died of something else");
    }

    /// Waits for its end and returns its exit code.
    pub(super) fn ends(&mut self) -> Option<i32> {
        within("the worker ends", || self.has_ended());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

/// Ends a worker that has outlived all that happened.
pub(super) fn end(mut worker: Child) {
    assert!(worker.try_wait().unwrap().is_none(), "the worker has ended by itself");
    worker.kill().unwrap();
    worker.wait().unwrap();
}

/// Queues a job that may lose as many workers as it takes.
pub(super) fn submit(lake: &Product, args: &[&str]) -> i64 {
    submit_for(lake, 90, args)
}

/// Queues a job that is dead after so many failures.
pub(super) fn submit_for(lake: &Product, attempts: u32, args: &[&str]) -> i64 {
    let job = lake.ok(&[&["submit", "--json", "--attempts", &attempts.to_string()], args].concat());
    serde_json::from_str::<Value>(&job).unwrap()["job"].as_i64().unwrap()
}

/// Works until nothing is left to do.
pub(super) fn drain(lake: &Product) {
    lake.ok(&["worker", "--drain", "--slots", "2", "--lease-seconds", "30"]);
}

pub(super) fn job(lake: &Product, id: i64) -> Value {
    lake.query(&format!("SELECT * FROM system.jobs WHERE job = {id}")).remove(0)
}

pub(super) fn attempts(lake: &Product, id: i64) -> Vec<Value> {
    lake.query(&format!("SELECT * FROM system.attempts WHERE job = {id} ORDER BY attempt"))
}
