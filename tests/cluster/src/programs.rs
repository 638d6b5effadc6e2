//! The server's programs, and the user who runs them.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::VARIABLE;

/// Where Debian keeps the programs of a server, which are on nobody's `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of the programs, and who runs them.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// User and group; None for the user who runs the tests. A server refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the programs of a server.
    pub(crate) fn find() -> Self {
        let Some(folder) = folder_of("initdb") else {
            panic!(
                "there is no PostgreSQL server to test with: install one (`infra/packaging/setup.sh build` does on \
                 Debian), put the folder of initdb on PATH, or set {VARIABLE} to the URL of a server"
            );
        };
        Self { folder, user: unprivileged() }
    }

    /// Finds the client alone.
    pub(crate) fn of_client() -> Self {
        let Some(folder) = folder_of("psql") else { panic!("psql is missing; install the PostgreSQL client") };
        Self { folder, user: None }
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// Makes a command that runs a program in a folder.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        self.run(Command::new(self.path(program)), folder)
    }

    /// Makes a command that runs the shell.
    pub(crate) fn shell(&self, folder: &Path) -> Command {
        self.run(Command::new("sh"), folder)
    }

    /// Gives a folder to the user who runs the programs.
    pub(crate) fn give(&self, folder: &Path) {
        if let Some((user, group)) = self.user {
            chown(folder, Some(user), Some(group)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        }
    }

    fn run(&self, mut command: Command, folder: &Path) -> Command {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir(folder);
        command
    }
}

/// Runs a command and returns what it prints.
pub(crate) fn must(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Looks on `PATH`, then where Debian keeps it, the newest version first.
fn folder_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> =
        fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|version| version.path()).collect();
    debian.sort_by_key(|folder| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let folders = std::env::split_paths(&path).chain(debian.iter().rev().map(|version| version.join("bin")));
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file())?;
    // A link leads to the folder where the others are, unless it leads to a script of another name.
    let real = found.canonicalize().ok().filter(|real| real.file_name() == found.file_name());
    real.unwrap_or(found).parent().map(Path::to_owned)
}

/// Returns a user who is not root, if we are.
fn unprivileged() -> Option<(u32, u32)> {
    if must(Command::new("id").arg("-u")).trim() != "0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = ["postgres", "nobody"].iter().find_map(|name| ids(&users, name));
    Some(found.unwrap_or_else(|| panic!("a server does not run as root, and there is no user `postgres` or `nobody`")))
}

/// Finds user and group in the text of `/etc/passwd`.
fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::ids;

    #[test]
    fn ids_are_the_third_and_fourth_field() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(ids(users, "postgres"), Some((101, 104)));
        assert_eq!(ids(users, "post"), None);
    }
}
