//! Writers of the formats that programs read.

use std::io::Write;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer as JsonWriter, WriterBuilder};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::values::{as_text, is_nested};
use super::{BatchWriter, bare};

/// Comma-separated values; nested ones as text.
pub(crate) struct Csv<W: Write> {
    writer: csv::Writer<W>,
    schema: SchemaRef,
}

/// Makes a CSV writer. The header stands even above no rows.
pub(crate) fn csv<W: Write>(schema: &SchemaRef, output: W) -> anyhow::Result<Csv<W>> {
    let field = |field: &arrow::datatypes::FieldRef| {
        if is_nested(field.data_type()) {
            Field::new(field.name(), DataType::Utf8, true)
        } else {
            field.as_ref().clone()
        }
    };
    let schema = SchemaRef::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()));
    let mut writer = csv::WriterBuilder::new().with_header(true).build(output);
    writer.write(&RecordBatch::new_empty(SchemaRef::clone(&schema)))?;
    Ok(Csv { writer, schema })
}

impl<W: Write> BatchWriter for Csv<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        if batch.num_columns() == 0 {
            return Ok(());
        }
        let columns = batch
            .columns()
            .iter()
            .map(|column| if is_nested(column.data_type()) { as_text(column) } else { Ok(ArrayRef::clone(column)) });
        let columns = columns.collect::<anyhow::Result<_>>()?;
        Ok(self.writer.write(&RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?)?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<usize> {
        self.writer.into_inner().flush()?;
        Ok(0)
    }
}

/// JSON, as an array or as lines; nulls are written.
pub(crate) struct Json<W: Write, F: JsonFormat> {
    writer: JsonWriter<W, F>,
    end: &'static [u8],
}

/// Makes a writer of one array.
pub(crate) fn json<W: Write>(output: W) -> Json<W, JsonArray> {
    Json { writer: WriterBuilder::new().with_explicit_nulls(true).build(output), end: b"\n" }
}

/// Makes a writer of one object per line.
pub(crate) fn ndjson<W: Write>(output: W) -> Json<W, LineDelimited> {
    Json { writer: WriterBuilder::new().with_explicit_nulls(true).build(output), end: b"" }
}

impl<W: Write, F: JsonFormat> BatchWriter for Json<W, F> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        Ok(self.writer.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<usize> {
        self.writer.finish()?;
        let mut output = self.writer.into_inner();
        output.write_all(self.end)?;
        output.flush()?;
        Ok(0)
    }
}

/// The Arrow IPC stream.
pub(crate) struct Arrow<W: Write>(StreamWriter<W>);

/// Makes an Arrow writer.
pub(crate) fn arrow<W: Write>(schema: &SchemaRef, output: W) -> anyhow::Result<Arrow<W>> {
    Ok(Arrow(StreamWriter::try_new(output, schema)?))
}

impl<W: Write> BatchWriter for Arrow<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<usize> {
        self.0.finish()?;
        self.0.get_mut().flush()?;
        Ok(0)
    }
}

/// Parquet.
pub(crate) struct Parquet<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

/// Makes a Parquet writer.
pub(crate) fn parquet<W: Write + Send>(schema: &SchemaRef, output: W) -> anyhow::Result<Parquet<W>> {
    let schema = bare(schema);
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
    Ok(Parquet { writer: ArrowWriter::try_new(output, SchemaRef::clone(&schema), Some(properties))?, schema })
}

impl<W: Write + Send> BatchWriter for Parquet<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), batch.columns().to_vec())?;
        Ok(self.writer.write(&batch)?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<usize> {
        self.writer.into_inner()?.flush()?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;

    use super::super::{BatchWriter, Layout, writer};
    use crate::args::Format;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn batch() -> RecordBatch {
        let id: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let name: ArrayRef = Arc::new(StringArray::from(vec!["a,b", "é\u{1b}"]));
        let list: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None]));
        RecordBatch::try_from_iter_with_nullable([("id", id, true), ("name", name, true), ("list", list, true)])
            .unwrap()
    }

    fn written(format: Format, n_batches: usize) -> Vec<u8> {
        let buffer = Buffer::default();
        let mut sink: Box<dyn BatchWriter> =
            writer(Layout { format, max_rows: 1 }, &batch().schema(), buffer.clone()).unwrap();
        for _ in 0..n_batches {
            sink.write(&batch()).unwrap();
        }
        sink.finish().unwrap();
        let bytes = buffer.0.lock().unwrap();
        bytes.clone()
    }

    fn text(format: Format, n_batches: usize) -> String {
        String::from_utf8(written(format, n_batches)).unwrap()
    }

    #[test]
    fn csv_has_a_header_even_without_rows_and_prints_lists() {
        assert_eq!(text(Format::Csv, 0), "id,name,list\n");
        assert_eq!(text(Format::Csv, 1), "id,name,list\n1,\"a,b\",\"[1, 2]\"\n,é\u{1b},\n");
    }

    #[test]
    fn json_keeps_nulls_and_is_valid_without_rows() {
        assert_eq!(text(Format::Json, 0), "[]\n");
        assert_eq!(text(Format::Ndjson, 0), "");
        let value: serde_json::Value = serde_json::from_str(&text(Format::Json, 2)).unwrap();
        assert_eq!(value.as_array().unwrap().len(), 4);
        assert_eq!(value[1]["id"], serde_json::Value::Null);
        assert_eq!(text(Format::Ndjson, 2).lines().count(), 4);
    }

    #[test]
    fn arrow_and_parquet_are_read_back() {
        let arrow = written(Format::Arrow, 2);
        let batches = arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap();
        assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
        let parquet = written(Format::Parquet, 2);
        assert_eq!(&parquet[..4], b"PAR1");
        assert_eq!(&parquet[parquet.len() - 4..], b"PAR1");
    }

    #[test]
    fn a_table_shows_nulls_hides_the_rest_and_no_control_characters() {
        assert_eq!(text(Format::Table, 1), " id │ name │ list\n────┼──────┼────────\n  1 │ a,b  │ [1, 2]\n");
        let buffer = Buffer::default();
        let layout = Layout { format: Format::Table, max_rows: 0 };
        let mut sink = writer(layout, &batch().schema(), buffer.clone()).unwrap();
        sink.write(&batch()).unwrap();
        assert_eq!(sink.finish().unwrap(), 0);
        let shown = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert!(shown.contains("NULL │ é\\u{1b}"), "{shown}");
    }
}
