//! How much a file would become in memory, counted before it is decoded: two bytes can stand for a message of hundreds.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::{OnnxError, Result};

/// The most fields of all messages together.
const MAX_FIELDS: usize = 200_000;

/// The longest list of small numbers (dimensions, axes), in bytes.
const MAX_LIST: usize = 4096;

/// The messages of [`crate::proto`].
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Leaf,
}

impl Message {
    /// Returns what a field of this message holds, if that is a message.
    fn field(self, tag: u32) -> Option<Self> {
        match (self, tag) {
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5) => Some(Self::Tensor),
            (Self::Graph, 11 | 12) => Some(Self::Value),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Value, 2) => Some(Self::Type),
            (Self::Type, 1) => Some(Self::TensorType),
            (Self::TensorType, 2) => Some(Self::Shape),
            (Self::Model, 8) | (Self::Shape, 1) => Some(Self::Leaf),
            _ => None,
        }
    }

    /// Returns true for a list whose numbers take more room in memory than in the file.
    fn is_list(self, tag: u32) -> bool {
        matches!((self, tag), (Self::Tensor, 1) | (Self::Attribute, 8))
    }
}

/// Refuses a file of too many or too long parts.
pub(crate) fn check(file: &[u8]) -> Result<()> {
    let mut n_left = MAX_FIELDS;
    match count(file, Message::Model, &mut n_left) {
        Ok(true) => Ok(()),
        Ok(false) => Err(OnnxError::unsupported(
            format!("has more than {MAX_FIELDS} parts, or a list of more than {MAX_LIST} bytes"),
            "make it smaller",
        )),
        Err(_) => Err(OnnxError::NotOnnx("its bytes cannot be decoded")),
    }
}

/// Counts the fields of a message and of those within. Returns false when there are too many.
fn count(mut rest: &[u8], message: Message, n_left: &mut usize) -> Result<bool, DecodeError> {
    while !rest.is_empty() {
        if *n_left == 0 {
            return Ok(false);
        }
        *n_left -= 1;
        let (tag, kind) = decode_key(&mut rest)?;
        if kind != WireType::LengthDelimited {
            skip_field(kind, tag, &mut rest, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
        let Some((part, after)) = rest.split_at_checked(length) else {
            // Decoding says the same in its own words.
            return Ok(true);
        };
        rest = after;
        if message.is_list(tag) && length > MAX_LIST {
            return Ok(false);
        }
        if let Some(inner) = message.field(tag)
            && !count(part, inner, n_left)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}
