//! Arrow types to the types that a Delta table holds, and rows to a table's columns.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::{TryFromArrow as _, TryFromKernel as _};

use crate::error::{LakeError, Result};

/// Returns `schema` with the types a table stores; order, names and nullability stay.
///
/// Wider or plainer types stand in where Delta lacks one: views and large variants become plain
/// ones, unsigned integers the next wider signed ones (64 bits: checked per value), timestamps
/// microseconds, dictionaries their values. Column metadata is not kept.
pub(crate) fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    refuse_same_names(schema)?;
    let fields = schema.fields().iter().map(|field| stored_field(field, field.name())).collect::<Result<Vec<_>>>()?;
    let delta = to_delta(&Schema::new(fields))?;
    from_delta(&delta)
}

/// Converts a stored schema to Delta's form.
pub(crate) fn to_delta(schema: &Schema) -> Result<StructType> {
    StructType::try_from_arrow(schema).map_err(|error| LakeError::Internal(error.to_string()))
}

/// Converts Delta's form to Arrow's.
pub(crate) fn from_delta(schema: &StructType) -> Result<SchemaRef> {
    let arrow = Schema::try_from_kernel(schema).map_err(|error| LakeError::Internal(error.to_string()))?;
    Ok(Arc::new(arrow))
}

/// Delta compares column names without case.
fn refuse_same_names(schema: &Schema) -> Result<()> {
    let mut seen = HashSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name().to_lowercase()) {
            return Err(LakeError::SchemaMismatch {
                location: "new table".to_owned(),
                detail: format!("column `{}` occurs twice (case does not count); rename one with AS", field.name()),
            });
        }
    }
    Ok(())
}

fn stored_field(field: &Field, column: &str) -> Result<Field> {
    Ok(Field::new(field.name(), stored_type(field.data_type(), column)?, field.is_nullable()))
}

fn stored_type(found: &DataType, column: &str) -> Result<DataType> {
    use DataType::*;
    let stored = match found {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Binary | Date32 => found.clone(),
        Utf8View | LargeUtf8 => Utf8,
        BinaryView | LargeBinary | FixedSizeBinary(_) => Binary,
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        Date64 => Date32,
        Timestamp(_, None) => Timestamp(TimeUnit::Microsecond, None),
        Timestamp(_, Some(_)) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Decimal32(digits, scale) | Decimal64(digits, scale) | Decimal128(digits, scale) | Decimal256(digits, scale)
            if *digits <= 38 && *scale >= 0 =>
        {
            Decimal128(*digits, *scale)
        }
        Dictionary(_, values) => stored_type(values, column)?,
        RunEndEncoded(_, values) => stored_type(values.data_type(), column)?,
        List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item) => {
            List(Arc::new(stored_field(item, column)?))
        }
        Struct(fields) => Struct(stored_fields(fields, column)?),
        Map(entries, sorted) => Map(Arc::new(stored_field(entries, column)?), *sorted),
        other => return Err(unsupported(other, column)),
    };
    Ok(stored)
}

fn stored_fields(fields: &Fields, column: &str) -> Result<Fields> {
    fields
        .iter()
        .map(|field| stored_field(field, column).map(Arc::new))
        .collect::<Result<Vec<FieldRef>>>()
        .map(Into::into)
}

/// Names the column, the type and the cast that helps.
fn unsupported(found: &DataType, column: &str) -> LakeError {
    let target = match found {
        DataType::Null => "the type that the nulls stand for, such as BIGINT or VARCHAR",
        DataType::Time32(_) | DataType::Time64(_) | DataType::Interval(_) => "VARCHAR",
        DataType::Duration(_) => "BIGINT",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "DECIMAL(38, s) with 0 <= s <= 38, or DOUBLE"
        }
        _ => "VARCHAR",
    };
    LakeError::UnsupportedType {
        column: column.to_owned(),
        found: found.to_string(),
        advice: format!("CAST(\"{column}\" AS …) to {target}"),
    }
}

/// Fits `batch` to `schema` by column name: order and types are adapted, values are checked.
pub(crate) fn fit(batch: &RecordBatch, schema: &SchemaRef, location: &str) -> Result<RecordBatch> {
    check_names(batch.schema_ref(), schema, location)?;
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(position, field)| fit_column(column(batch, position, field)?, field, location))
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|error| LakeError::SchemaMismatch { location: location.to_owned(), detail: error.to_string() })
}

/// Checks that `rows` has exactly the columns of `table`, in any order.
pub(crate) fn check_names(rows: &Schema, table: &Schema, location: &str) -> Result<()> {
    let mismatch = |detail| Err(LakeError::SchemaMismatch { location: location.to_owned(), detail });
    if let Some(missing) = table.fields().iter().find(|field| rows.index_of(field.name()).is_err()) {
        return mismatch(format!("column `{}` is missing", missing.name()));
    }
    if let Some(surplus) = rows.fields().iter().find(|field| table.index_of(field.name()).is_err()) {
        return mismatch(format!("the table has no column `{}`", surplus.name()));
    }
    if rows.fields().len() != table.fields().len() {
        return mismatch("a column occurs twice".to_owned());
    }
    Ok(())
}

/// Finds a field's column, first where the table has it.
fn column<'a>(batch: &'a RecordBatch, position: usize, field: &Field) -> Result<&'a ArrayRef> {
    let index = if batch.schema_ref().field(position).name() == field.name() {
        position
    } else {
        batch.schema_ref().index_of(field.name()).map_err(|error| LakeError::Internal(error.to_string()))?
    };
    Ok(batch.column(index))
}

fn fit_column(array: &ArrayRef, field: &Field, location: &str) -> Result<ArrayRef> {
    let fitted = if array.data_type() == field.data_type() { Arc::clone(array) } else { cast(array, field, location)? };
    if !field.is_nullable() && fitted.null_count() > 0 {
        return Err(LakeError::NullNotAllowed { column: field.name().clone() });
    }
    Ok(fitted)
}

fn cast(array: &ArrayRef, field: &Field, location: &str) -> Result<ArrayRef> {
    // A table column takes what `stored_type` would make of the rows' type, and nothing else: a
    // cast from text to numbers here would hide a mistake in the statement.
    let stored = stored_type(array.data_type(), field.name())?;
    if !same_shape(&stored, field.data_type()) {
        return Err(LakeError::SchemaMismatch {
            location: location.to_owned(),
            detail: format!(
                "column `{}` is {} in the table and {} in the rows; cast the rows",
                field.name(),
                field.data_type(),
                array.data_type()
            ),
        });
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, field.data_type(), &options).map_err(|_| LakeError::OutOfRange {
        column: field.name().clone(),
        found: array.data_type().to_string(),
        stored: field.data_type().to_string(),
    })
}

/// Compares types without the names and nullability of list items, and lets numbers widen.
fn same_shape(rows: &DataType, table: &DataType) -> bool {
    use DataType::*;
    match (rows, table) {
        (List(a), List(b)) => same_shape(a.data_type(), b.data_type()),
        (Map(a, _), Map(b, _)) => same_shape(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a.data_type(), b.data_type()))
        }
        (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64) | (Float32, Float64) => true,
        (a, b) => a == b,
    }
}
