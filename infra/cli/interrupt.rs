//! Ctrl-C and termination: the first asks the running statement to stop, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use causeway_core::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::exit::Exit;
use crate::terminal::Terminal;

/// The way from a signal to what is running.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    current: Mutex<Cancel>,
    pressed: AtomicBool,
    notify: Notify,
}

impl Interrupts {
    /// Starts to listen, on a thread of its own: a worker that computes hears no signal, and the
    /// others may be asleep.
    pub(crate) fn listen(terminal: &Terminal) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let interrupts = Self::default();
        let signals = {
            let _guard = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let watch = interrupts.clone().watch(signals, terminal.clone());
        std::thread::Builder::new().name("causeway-signals".to_owned()).spawn(move || runtime.block_on(watch))?;
        Ok(interrupts)
    }

    /// Starts something that a signal shall stop, and returns its flag.
    pub(crate) fn begin(&self) -> Cancel {
        let cancel = Cancel::default();
        *self.current() = cancel.clone();
        self.0.pressed.store(false, Ordering::SeqCst);
        cancel
    }

    /// Returns true if what began last was asked to stop.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.current().is_cancelled()
    }

    /// Waits until what began last is asked to stop.
    pub(crate) async fn interrupted(&self) {
        let notified = self.0.notify.notified();
        if !self.is_interrupted() {
            notified.await;
        }
    }

    fn current(&self) -> MutexGuard<'_, Cancel> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch(self, (mut interrupt, mut terminate): (Signal, Signal), terminal: Terminal) {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if self.0.pressed.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(Exit::Interrupted as u8));
            }
            self.current().cancel();
            self.0.notify.notify_waiters();
            terminal.note("stopping; once more ends at once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_after_an_interrupt_is_not_stopped_by_it() {
        let interrupts = Interrupts::default();
        let first = interrupts.begin();
        interrupts.current().cancel();
        assert!(first.is_cancelled() && interrupts.is_interrupted());
        let second = interrupts.begin();
        assert!(!second.is_cancelled() && !interrupts.is_interrupted());
    }
}
