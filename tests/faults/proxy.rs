//! A proxy before a Postgres server that cuts a connection in the middle of a transaction.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The name that clients expect of a server's socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the server hears of the `COMMIT`: the transaction is undone.
    Before,
    /// After the server has committed, before the client hears of it.
    After,
}

/// A proxy, gone with the value.
pub(super) struct Proxy {
    folder: tempfile::TempDir,
    plan: Arc<Plan>,
}

struct Plan {
    server: PathBuf,
    cut: Cut,
    /// The commit that is cut, from 1.
    nth: usize,
    seen: AtomicUsize,
    fired: AtomicBool,
}

impl Proxy {
    /// Starts a proxy before the server whose socket lies in `server`.
    pub(super) fn start(server: &Path, cut: Cut, nth: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let (seen, fired) = (AtomicUsize::new(0), AtomicBool::new(false));
        let plan = Arc::new(Plan { server: server.join(SOCKET), cut, nth, seen, fired });
        let served = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                serve(client, &served);
            }
        });
        Self { folder, plan }
    }

    /// Returns the URL of a database behind the proxy.
    pub(super) fn url(&self, direct: &str) -> String {
        let (address, _) = direct.split_once("?host=").unwrap();
        format!("{address}?host={}", self.folder.path().display())
    }

    /// Returns true if a connection was cut.
    pub(super) fn has_cut(&self) -> bool {
        self.plan.fired.load(Ordering::SeqCst)
    }
}

fn serve(client: UnixStream, plan: &Arc<Plan>) {
    let Ok(server) = UnixStream::connect(&plan.server) else { return };
    let muted = Arc::new(AtomicBool::new(false));
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap(), Arc::clone(&muted));
    std::thread::spawn(move || answers(back.0, back.1, &back.2));
    let plan = Arc::clone(plan);
    std::thread::spawn(move || requests(client, server, &plan, &muted));
}

fn requests(mut client: UnixStream, mut server: UnixStream, plan: &Plan, muted: &AtomicBool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        if plan.is_due(&buffer[..length]) {
            if plan.cut == Cut::Before {
                break;
            }
            muted.store(true, Ordering::SeqCst);
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    close(&client, &server);
}

/// Hands answers on; after a cut the answer is the sign that the server has committed.
fn answers(mut server: UnixStream, mut client: UnixStream, muted: &AtomicBool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if muted.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    close(&client, &server);
}

fn close(client: &UnixStream, server: &UnixStream) {
    // The other side may have closed them.
    let _: std::io::Result<()> = client.shutdown(Shutdown::Both);
    let _: std::io::Result<()> = server.shutdown(Shutdown::Both);
}

impl Plan {
    /// Counts commits; returns true for the one to cut.
    fn is_due(&self, request: &[u8]) -> bool {
        let is_commit = request.windows(7).any(|bytes| bytes == b"COMMIT\0");
        let due = is_commit && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.nth;
        if due {
            self.fired.store(true, Ordering::SeqCst);
        }
        due
    }
}
