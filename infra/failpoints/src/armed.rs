//! What happens where, and that it has happened.

#![expect(clippy::panic, reason = "it serves tests: one kind of fault is a panic, and a plan that is no plan another")]

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

enum Action {
    Kill,
    Stop,
    Error,
    Panic(String),
    Delay(Duration),
}

struct Fault {
    point: String,
    /// The passage at which it happens; `None` for each.
    passage: Option<u64>,
    text: String,
    action: Action,
}

static PLAN: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let plan = std::env::var("CAUSEWAY_FAILPOINTS").unwrap_or_default();
    plan.split(';').filter(|fault| !fault.is_empty()).map(Fault::parse).collect()
});

static PASSAGES: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);

/// Passes a place where a process can be killed, stopped, delayed, or panic.
///
/// # Panics
/// If the plan says so.
pub fn at(point: &str) {
    assert!(!fails_at(point), "nothing can fail at `{point}`");
}

/// Passes a place as [`at`] does; returns true if the caller shall fail.
///
/// # Panics
/// If the plan says so.
#[must_use]
pub fn fails_at(point: &str) -> bool {
    if !PLAN.iter().any(|fault| fault.point == point) {
        return false;
    }
    let passage = {
        let mut passages = PASSAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let passage = passages.entry(point.to_owned()).or_default();
        *passage += 1;
        *passage
    };
    let due = |fault: &&Fault| fault.point == point && fault.passage.is_none_or(|wanted| wanted == passage);
    PLAN.iter().find(due).is_some_and(|fault| fault.happen(passage))
}

impl Fault {
    fn parse(text: &str) -> Self {
        let (place, action) = text.split_once('=').unwrap_or_else(|| no_fault(text));
        let (point, passage) = place.split_once('@').unwrap_or((place, "1"));
        let (name, argument) = action.trim_end_matches(')').split_once('(').unwrap_or((action, ""));
        let action = match name {
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            "error" => Action::Error,
            "panic" => Action::Panic(argument.to_owned()),
            "delay" => Action::Delay(Duration::from_millis(argument.parse().unwrap_or_else(|_| no_fault(text)))),
            _ => no_fault(text),
        };
        let passage = (passage != "*").then(|| passage.parse().unwrap_or_else(|_| no_fault(text)));
        Self { point: point.to_owned(), passage, text: name.to_owned(), action }
    }

    /// Returns true if the caller shall fail.
    fn happen(&self, passage: u64) -> bool {
        self.mark(passage);
        match &self.action {
            Action::Kill => loop {
                signal("KILL");
                std::thread::sleep(Duration::from_secs(1));
            },
            Action::Stop => signal("STOP"),
            Action::Error => return true,
            Action::Panic(message) => panic!("{message}"),
            Action::Delay(time) => std::thread::sleep(*time),
        }
        false
    }

    fn mark(&self, passage: u64) {
        let Some(file) = std::env::var_os("CAUSEWAY_FAILPOINT_MARKS") else { return };
        let line = format!("{}@{passage} {} {}\n", self.point, self.text, std::process::id());
        let opened = std::fs::File::options().append(true).create(true).open(file);
        let written = opened.and_then(|mut marks| marks.write_all(line.as_bytes()).and_then(|()| marks.sync_data()));
        written.unwrap_or_else(|error| panic!("the mark of a fault cannot be written: {error}"));
    }
}

fn no_fault(text: &str) -> ! {
    panic!("`{text}` is no fault; write one as point@2=kill")
}

/// Sends a signal to this process.
fn signal(name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -s {name} {}", std::process::id())]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
}
