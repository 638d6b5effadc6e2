//! Byte strings of fixed length, written as lower-case hexadecimal digits.

use sha2::{Digest as _, Sha256};

use crate::error::{AuditError, Result};

/// Declares a byte string that is written as hexadecimal digits, in one way only.
macro_rules! hexadecimal {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Makes it of its bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Returns its bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut digits = [0; 2 * $length];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| std::fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| std::fmt::Error)?)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = AuditError;

            fn from_str(digits: &str) -> Result<Self> {
                bytes_of(digits).map(Self).ok_or(AuditError::Digits { what: stringify!($name), digits: 2 * $length })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hexadecimal! {
    /// A SHA-256 digest.
    Digest, 32
}
hexadecimal! {
    /// An Ed25519 public key.
    PublicKey, 32
}
hexadecimal! {
    /// A public key's name: the SHA-256 digest of its 32 bytes.
    KeyId, 32
}
hexadecimal! {
    /// An Ed25519 signature.
    Signature, 64
}
hexadecimal! {
    /// The name of one log, chosen at random when it starts.
    LogId, 16
}

impl Digest {
    /// Returns the digest of a content.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Returns the digest of parts that stand one after another.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl LogId {
    /// Chooses a name.
    ///
    /// # Errors
    /// [`AuditError::Randomness`] if the operating system gives no random bytes.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 16];
        crate::key::fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Reads digits; capitals are refused, so that a value has one text.
fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    (digits.bytes().all(is_digit) && hex::decode_to_slice(digits, &mut bytes).is_ok()).then_some(bytes)
}
