//! A disk that is small enough to be filled: a file system in memory, which a process of its own holds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::product::Product;

/// A small disk, gone with the value.
pub(super) struct SmallDisk {
    holder: Child,
    /// Where it lies, for those who have entered.
    folder: PathBuf,
    enter: Vec<String>,
    _parent: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a disk of so many pages of 4 KiB, where only commands of [`SmallDisk::command`] see it.
    pub(super) fn mount(n_pages: u64) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("disk");
        std::fs::create_dir(&folder).unwrap();
        // A superuser needs no namespace of users, and is perhaps not allowed to make one.
        for (spaces, join) in [("-m", vec!["-m"]), ("-Urm", vec!["-U", "-m", "--preserve-credentials"])] {
            if let Some(holder) = hold(spaces, &folder, n_pages) {
                let mut enter = vec!["-t".to_owned(), holder.id().to_string()];
                enter.extend(join.into_iter().map(str::to_owned));
                return Self { holder, folder, enter, _parent: parent };
            }
        }
        panic!(
            "this test needs a small disk: the right to mount a tmpfs (CAP_SYS_ADMIN), or namespaces of users \
             (`unshare -Urm`), and unshare and nsenter of util-linux"
        );
    }

    /// Returns where a file of the disk lies, for those who have entered.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns a command over a lake that sees the disk.
    pub(super) fn command(&self, lake: &Product, args: &[&str]) -> Command {
        let plain = lake.command(args);
        let mut command = Command::new("nsenter");
        command.args(&self.enter).arg(plain.get_program()).args(plain.get_args()).stdin(Stdio::null());
        command
    }

    /// Changes its size.
    pub(super) fn resize(&self, n_pages: u64) {
        let mut command = Command::new("nsenter");
        command.args(&self.enter).args(["mount", "-o", &format!("remount,size={}k", 4 * n_pages)]).arg(&self.folder);
        assert!(command.status().unwrap().success(), "the disk cannot be resized");
    }

    /// Fills it, but for so many pages.
    pub(super) fn fill_but(&self, n_pages: usize) {
        let mut file = std::fs::File::create(self.outside("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len() / 4096 * 4096;
        file.set_len(length - 4096 * n_pages as u64).unwrap();
    }

    /// Removes what fills it.
    pub(super) fn free(&self) {
        std::fs::remove_file(self.outside("filler")).unwrap();
    }

    /// Lists the files below a folder of it.
    pub(super) fn files(&self, folder: &str) -> Vec<String> {
        let top = self.outside(folder);
        let mut files = Vec::new();
        collect(&top, &top, &mut files);
        files.sort();
        files
    }

    /// Returns where a file of the disk lies for everybody else.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        let inside = self.path(name);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside.strip_prefix("/").unwrap())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _: std::io::Result<std::process::ExitStatus> = self.holder.wait();
    }
}

/// Starts the process in whose namespaces the disk is mounted; it ends with its input, however we end.
fn hold(spaces: &str, folder: &Path, n_pages: u64) -> Option<Child> {
    let script = "mount -t tmpfs -o \"size=$2k\" causeway-faults \"$1\" && echo mounted && exec cat >/dev/null";
    let mut command = Command::new("unshare");
    command.args([spaces, "sh", "-c", script, "sh"]).arg(folder).arg((4 * n_pages).to_string());
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut line = String::new();
    BufReader::new(holder.stdout.take()?).read_line(&mut line).ok()?;
    if line == "mounted\n" {
        return Some(holder);
    }
    holder.wait().ok()?;
    None
}

fn collect(top: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(top, &path, files),
            false => files.push(path.strip_prefix(top).unwrap().display().to_string()),
        }
    }
}
