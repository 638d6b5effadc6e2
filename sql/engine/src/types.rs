//! Arrow fields as columns of the catalog.

use causeway_model::Column;
use datafusion::arrow::datatypes::{DataType, Field};

/// The field metadata key of a column's unit.
pub(crate) const UNIT: &str = "unit";
/// The field metadata key of a column's meaning.
pub(crate) const MEANING: &str = "meaning";

/// Describes a field for the catalog.
pub(crate) fn column_of(field: &Field) -> Column {
    Column {
        name: field.name().clone(),
        data_type: sql_type(field.data_type()),
        nullable: field.is_nullable(),
        unit: field.metadata().get(UNIT).cloned(),
        meaning: field.metadata().get(MEANING).cloned(),
        identifying: false,
    }
}

/// Returns the SQL name of a type.
pub fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "int".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytea".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Dictionary(_, value) => sql_type(value),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            format!("{}[]", sql_type(field.data_type()))
        }
        other => other.to_string().to_lowercase(),
    }
}
