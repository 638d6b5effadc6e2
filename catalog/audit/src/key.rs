//! Signing keys, and the file one lies in.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::canonical;
use crate::digest::{Digest, KeyId, PublicKey, Signature};
use crate::error::{AuditError, Result};

/// What a key file says it is.
const KIND: &str = "causeway-audit-key";
const FORMAT: u32 = 1;

/// Longer than any key file.
const LONGEST_FILE: u64 = 4096;

/// An Ed25519 key that signs tree heads and the key that comes after it. Prints no secret; the
/// secret's memory is wiped when the key is dropped.
pub struct LogKey {
    signing: SigningKey,
}

/// The key file: one canonical JSON line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u32,
    kind: String,
    public: PublicKey,
    secret: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl LogKey {
    /// Makes a key of the operating system's random bytes.
    ///
    /// # Errors
    /// [`AuditError::Randomness`] if it gives none.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        fill_random(seed.as_mut())?;
        Ok(Self::from_seed(&seed))
    }

    /// Makes the key of a seed (RFC 8032).
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self { signing: SigningKey::from_bytes(seed) }
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.signing.verifying_key().to_bytes())
    }

    /// Returns the public key's name.
    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.signing.sign(message).to_bytes())
    }

    /// Writes the key to a new file that only its owner may read (0600) and waits until it is on disk.
    ///
    /// # Errors
    /// [`AuditError::KeyExists`] if there is a file already: a key is never overwritten.
    /// [`AuditError::KeyFile`] if it cannot be written.
    pub fn create_file(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => AuditError::KeyExists { path: path.to_owned() },
            _ => AuditError::key_file(path, error),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let line = Zeroizing::new(canonical::encode(&self.to_file())? + "\n");
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Reads the key from a file.
    ///
    /// # Errors
    /// [`AuditError::KeyPermissions`] if others than its owner may read or write the file.
    /// [`AuditError::KeyFile`] if it cannot be read or holds no key.
    pub fn load_file(path: &Path) -> Result<Self> {
        let failed = |error| AuditError::key_file(path, error);
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(AuditError::KeyPermissions { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(LONGEST_FILE).read_to_string(&mut text).map_err(failed)?;
        Self::from_file(&text).ok_or_else(|| AuditError::key_file(path, "its content is not a key"))
    }

    fn to_file(&self) -> KeyFile {
        let secret = hex::encode(self.signing.as_bytes());
        KeyFile { format: FORMAT, kind: KIND.to_owned(), public: self.public(), secret }
    }

    fn from_file(text: &str) -> Option<Self> {
        let file: KeyFile = canonical::decode(text.strip_suffix('\n').unwrap_or(text).as_bytes()).ok()?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&file.secret, seed.as_mut()).ok()?;
        let key = Self::from_seed(&seed);
        (file.format == FORMAT && file.kind == KIND && file.public == key.public()).then_some(key)
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({}, [redacted])", self.id())
    }
}

impl PublicKey {
    /// Returns the key's name.
    pub fn id(&self) -> KeyId {
        KeyId::from_bytes(*Digest::of(self.as_bytes()).as_bytes())
    }

    /// Returns true if the signature of the message was made with this key. Strict: small-order keys
    /// and other spellings of a signature are refused.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        VerifyingKey::from_bytes(self.as_bytes()).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

/// Fills the bytes from the operating system's source.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    OsRng.try_fill_bytes(bytes).map_err(|error| AuditError::Randomness(error.to_string()))
}
