//! The built binary over a lake in a temporary folder.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A lake of its own, removed at the end.
pub(crate) struct Product {
    folder: tempfile::TempDir,
}

impl Product {
    /// Makes a lake with `causeway init`; statements may read the repository.
    pub(crate) fn init() -> Self {
        Self::init_with(&[])
    }

    /// Makes a lake whose catalog lies at `url`.
    pub(crate) fn init_on(url: &str) -> Self {
        Self::init_with(&["--catalog-url", url])
    }

    fn init_with(options: &[&str]) -> Self {
        let product = Self { folder: tempfile::tempdir().unwrap() };
        let lake = product.folder();
        let output = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["init", lake.to_str().unwrap(), "--read", repository("").to_str().unwrap()])
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        product
    }

    /// Returns the folder of the lake.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// Returns a command over this lake.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.arg("--config").arg(self.folder()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a command and returns at once.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs a command that must succeed and returns what it wrote.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the rows of a query.
    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        let text = self.ok(&["sql", "--format", "ndjson", "-c", sql]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits until something holds. Asking may cost a process, so the next question waits twice as long as the last took.
pub(crate) fn within(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    loop {
        let asked = Instant::now();
        if holds() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(90), "not within 90 s: {what}");
        std::thread::sleep((2 * asked.elapsed()).max(Duration::from_millis(20)));
    }
}

/// Returns a path of the repository. Asked for at run time: clones that share a target folder share
/// their compiled tests.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join(path)
}
