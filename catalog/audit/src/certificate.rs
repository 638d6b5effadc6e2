//! A certificate of origin: what a version of a table was made from, for those who cannot ask the catalog.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, PublicKey};
use crate::error::{AuditError, Result};
use crate::proof::{self, InclusionProof};
use crate::record::{Action, Event, Object, ObjectKind, Outcome};

/// What the document says it is.
const KIND: &str = "causeway-certificate-of-origin";
const FORMAT: u32 = 1;

/// What is certified: a version of a table, and all it came from. Names, versions, digests and counts, never a value of
/// a row. Fields stand in the order of the canonical text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The files that were read, by name.
    pub files: Vec<SourceFile>,
    /// How many rows the version has, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_rows: Option<i64>,
    /// The steps that made it, oldest first.
    pub steps: Vec<Making>,
    /// The table.
    pub table: String,
    /// Its version.
    pub version: i64,
}

/// A file outside the lake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// The digest of its content.
    pub sha256: Digest,
}

/// A step of the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// Who ran it.
    pub actor: String,
    /// The version of the binary.
    pub binary: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The digest of all that its result depends on: statement, inputs, parameters, rights that narrow what is read.
    pub fingerprint: String,
    /// What it read, each as `schema.table@version`, a file by its name.
    pub inputs: Vec<String>,
    /// What the statement does.
    pub kind: String,
    /// Its operators, each as `name version`.
    pub operators: Vec<String>,
    /// What it made, as `inputs`.
    pub outputs: Vec<String>,
    /// The run.
    pub run: String,
    /// The seed of its operators: a number of 64 bits, as text.
    pub seed: String,
    /// The digest of its statement, whose text may hold a value.
    pub statement: Digest,
    /// Its id.
    pub step: i64,
}

impl Origin {
    /// Returns the record of the log that stands for the certificate.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn event(&self, actor: &str) -> Result<Event> {
        let name = format!("{}@{}", self.table, self.version);
        Ok(Event::new(actor, Action::Certificate, Outcome::succeeded())
            .object(Object::new(ObjectKind::Certificate, name).digest(self.digest()?))
            .object(Object::new(ObjectKind::Table, self.table.as_str()).version(self.version)))
    }

    fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(canonical::encode(self)?.as_bytes()))
    }

    fn is_exact(&self) -> bool {
        let steps = self.steps.iter().map(|step| step.step);
        steps.chain(self.n_rows).chain([self.version]).all(canonical::is_exact_id)
    }
}

/// An origin and the proof that the log holds its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    format: u32,
    kind: String,
    origin: Origin,
    proof: InclusionProof,
}

impl Certificate {
    /// Puts a certificate together and checks that the proof is that of its record.
    ///
    /// # Errors
    /// [`AuditError::Proof`] if it is not.
    pub fn new(origin: Origin, proof: InclusionProof) -> Result<Self> {
        let certificate = Self { format: FORMAT, kind: KIND.to_owned(), origin, proof };
        certificate.check()?;
        Ok(certificate)
    }

    /// Returns the document, without a newline.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn to_json(&self) -> Result<String> {
        canonical::encode(self)
    }

    /// Returns what is certified.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the proof of its record.
    pub fn proof(&self) -> &InclusionProof {
        &self.proof
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: &str| Err(AuditError::Proof(reason.to_owned()));
        if self.format != FORMAT || self.kind != KIND || !self.origin.is_exact() {
            return refuse("it is not a certificate of a known form");
        }
        let record = self.proof.record();
        let expected = self.origin.event(record.actor())?;
        if record.action() != expected.action || *record.outcome() != expected.outcome {
            return refuse("its record issues no certificate");
        }
        if record.objects() != expected.objects {
            return refuse("what it says is not what the log was told");
        }
        Ok(())
    }
}

/// Checks a certificate against the log's first public key, without a catalog. One newline may follow the document;
/// nothing else may differ from its canonical text.
///
/// # Errors
/// [`AuditError::Proof`] with the reason.
pub fn verify_certificate(document: &[u8], trusted: &PublicKey) -> Result<Certificate> {
    let certificate: Certificate = proof::read(document)?;
    certificate.check()?;
    certificate.proof.verify(trusted)?;
    Ok(certificate)
}

/// Returns true if a document says that it is a certificate, whether or not it holds.
pub fn is_certificate(document: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    serde_json::from_slice::<Kind>(document).is_ok_and(|document| document.kind == KIND)
}
