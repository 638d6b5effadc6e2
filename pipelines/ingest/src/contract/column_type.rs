//! The types a contract may give a column.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    BigInt,
    /// A floating-point number of 64 bits; finite.
    Double,
    /// A decimal number of `precision` digits, `scale` of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: i8,
    },
    /// Text.
    Text,
    /// A day.
    Date,
    /// An instant in microseconds; without a zone it is read as UTC.
    Timestamp,
}

impl ColumnType {
    const NAMES: [&str; 8] = ["boolean", "int", "bigint", "double", "decimal(p,s)", "text", "date", "timestamp"];

    /// Reads a type's name; the error says what is allowed.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "bigint" => Self::BigInt,
            "double" => Self::Double,
            "text" => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => return parse_decimal(name).unwrap_or_else(|| Err(unknown_type(name))),
        })
    }

    /// Returns the Arrow type of the column in the lake.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Returns the nearest contract type for an Arrow type, if there is one.
    pub(crate) fn from_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => Self::Int,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Self::BigInt,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Double,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
                if *scale >= 0 =>
            {
                Self::Decimal { precision: *precision, scale: *scale }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, _) => Self::Timestamp,
            DataType::Dictionary(_, values) => return Self::from_arrow(values),
            _ => return None,
        })
    }

    /// Returns true for the types that `min` and `max` apply to.
    pub(crate) fn is_ordered(self) -> bool {
        !matches!(self, Self::Boolean | Self::Text)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Text => f.write_str("text"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

fn parse_decimal(name: &str) -> Option<Result<ColumnType, String>> {
    let inside = name.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',')?;
    let (Ok(precision), Ok(scale)) = (precision.trim().parse::<u8>(), scale.trim().parse::<i8>()) else {
        return None;
    };
    let fits = (1..=38).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
    Some(if fits {
        Ok(ColumnType::Decimal { precision, scale })
    } else {
        Err(format!("decimal({precision},{scale}): the digits must be 1 to 38 and the scale 0 to the digits"))
    })
}

fn unknown_type(name: &str) -> String {
    let nearest = match name.to_ascii_lowercase().as_str() {
        "integer" | "int32" | "int4" => Some("int"),
        "long" | "int64" | "int8" => Some("bigint"),
        "float" | "float64" | "real" | "number" | "numeric" => Some("double"),
        "string" | "varchar" | "str" | "utf8" => Some("text"),
        "bool" => Some("boolean"),
        "datetime" => Some("timestamp"),
        lower => super::nearest(lower, ColumnType::NAMES),
    };
    let hint = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("unknown type `{name}`; the types are {}{hint}", ColumnType::NAMES.join(", "))
}
