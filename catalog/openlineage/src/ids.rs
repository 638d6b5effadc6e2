//! Identities: always the same for the same thing, so that a retry is seen to be one.

use std::fmt;

use causeway_model::{RunId, Transition};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant, Version};

use crate::error::{OpenLineageError, Result};

/// The identity of an event: the same run, transition and time have the same one, always. It
/// travels beside the event (`Idempotency-Key`), since OpenLineage has no field for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl EventId {
    /// Derives the id of a run's transition at a time.
    pub(crate) fn new(run: Uuid, transition: Transition, at: &str) -> Self {
        let digest = digest(&[b"event", run.as_bytes(), transition.name().as_bytes(), at.as_bytes()]);
        Self(Builder::from_bytes(digest).with_version(Version::Custom).with_variant(Variant::RFC4122).into_uuid())
    }
}

/// Reads a run's id.
pub(crate) fn run_uuid(run: &RunId) -> Result<Uuid> {
    Uuid::parse_str(&run.0).map_err(|_| OpenLineageError::Record {
        what: format!("run `{run}`"),
        problem: "its id is no UUID, and OpenLineage takes nothing else".to_owned(),
    })
}

/// Derives the id of a step's attempt. It keeps the time of the run's id (the first 48 bits of a
/// version 7 UUID), so that ids still sort by time; the rest is a digest.
pub(crate) fn step_uuid(run: Uuid, step: &str, attempt: i64) -> Uuid {
    let mut bytes = digest(&[b"step", run.as_bytes(), step.as_bytes(), &attempt.to_le_bytes()]);
    for (byte, of_run) in bytes.iter_mut().zip(run.as_bytes()).take(6) {
        *byte = *of_run;
    }
    Builder::from_bytes(bytes).with_version(Version::SortRand).with_variant(Variant::RFC4122).into_uuid()
}

/// Returns the first 16 bytes of a digest of the parts; each part's length goes in, so that no two
/// lists of parts look alike.
fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(b"causeway/openlineage/1");
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let mut first = [0; 16];
    first.iter_mut().zip(hasher.finalize()).for_each(|(byte, digest)| *byte = digest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn run() -> Uuid {
        run_uuid(&RunId(RUN.into())).unwrap()
    }

    #[test]
    fn a_step_is_the_same_each_time_and_sorts_with_its_run() {
        let step = step_uuid(run(), "lung", 1);
        assert_eq!(step, step_uuid(run(), "lung", 1));
        assert_eq!(step.to_string()[..13], RUN[..13]);
        assert_eq!(step.get_version(), Some(Version::SortRand));
        assert_eq!(step.get_variant(), Variant::RFC4122);
    }

    #[test]
    fn steps_attempts_and_runs_differ() {
        let other = run_uuid(&RunId("01890a5d-ac96-774b-bcce-b302099a8058".into())).unwrap();
        let ids = [
            run(),
            step_uuid(run(), "lung", 1),
            step_uuid(run(), "lung", 2),
            step_uuid(run(), "lung2", 1),
            step_uuid(other, "lung", 1),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id}");
        }
    }

    #[test]
    fn an_event_is_its_run_transition_and_time() {
        let id = EventId::new(run(), Transition::Start, "2026-05-04T03:02:01Z");
        assert_eq!(id, EventId::new(run(), Transition::Start, "2026-05-04T03:02:01Z"));
        assert_ne!(id, EventId::new(run(), Transition::Complete, "2026-05-04T03:02:01Z"));
        assert_ne!(id, EventId::new(run(), Transition::Start, "2026-05-04T03:02:02Z"));
        assert_ne!(id, EventId::new(step_uuid(run(), "lung", 1), Transition::Start, "2026-05-04T03:02:01Z"));
        assert_eq!(id.0.get_version(), Some(Version::Custom));
    }

    #[test]
    fn other_run_ids_are_refused() {
        let error = run_uuid(&RunId("run-1".into())).unwrap_err();
        assert_eq!(error.code(), "CW0901");
        assert!(error.to_string().contains("no UUID"), "{error}");
    }
}
