//! Times `iv_regression` on simulated columns, or streams any number of rows through it.
//!
//! usage: `time_iv_regression ROWS [hc0|hc1|classic|cluster|absorb|liml|gmm] [kept|stream] [CSV_FOLDER]`
//!
//! Ten covariates, a treatment, two instruments, an outcome, from a fixed generator: 14 columns and 1000 groups. `kept` makes
//! them first and times the operator alone; `stream` makes batches as they are asked for, so that memory holds
//! what the operator keeps, and spills to a file in the folder for temporary files. Prints one JSON object. With CSV_FOLDER the
//! columns are written there as little-endian doubles, one file each, for other programs.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use causeway_causal::iv_regression;
use causeway_core::{Literal, Literals, Relation, RunContext, Scratch, ScratchFile, call};

const BATCH_ROWS: u64 = 8192;
const N_COVARIATES: usize = 10;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let n_rows: u64 = arguments.first().ok_or("usage: time_iv_regression ROWS [KIND] [kept|stream]")?.parse()?;
    let kind = arguments.get(1).map_or("hc0", String::as_str);
    let stream = arguments.get(2).is_some_and(|word| word == "stream");
    let schema = schema();
    let starts = (0..n_rows).step_by(usize::try_from(BATCH_ROWS)?);
    let batch_schema = SchemaRef::clone(&schema);
    let batches = starts.map(move |start| batch(&batch_schema, start, BATCH_ROWS.min(n_rows - start)));
    let input = if stream {
        Relation::new(schema, batches.map(|batch| batch.map_err(Into::into)))
    } else {
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        if let Some(folder) = arguments.get(3) {
            write_columns(folder, &batches)?;
        }
        Relation::from_batches(schema, batches)
    };
    let mut context = RunContext::for_test(1)?.with_scratch(Arc::new(Folder(std::env::temp_dir())));
    let (wall, processor) = (Instant::now(), processor_seconds()?);
    let found = call(&iv_regression::Factory, options(kind), vec![input], &mut context)?;
    let (wall, processor) = (wall.elapsed().as_secs_f64(), processor_seconds()? - processor);
    let last = |column: &str| -> f64 {
        let values: &Float64Array = arrow::array::AsArray::as_primitive::<Float64Type>(&found.batches[0][column]);
        values.value(values.len() - 1)
    };
    println!(
        "{{\"rows\": {n_rows}, \"kind\": \"{kind}\", \"processor_seconds\": {processor:.3}, \"wall_seconds\": {wall:.3}, \
         \"estimate\": {}, \"std_error\": {}, \"spilled_bytes\": {}, \"peak_memory_mb\": {}}}",
        last("estimate"),
        last("std_error"),
        found.report["spilled_bytes"],
        peak_memory_mb()?,
    );
    Ok(())
}

fn options(kind: &str) -> Literals {
    let text = |word: &str| Literal::Text(word.to_owned());
    let mut options = Literals::default();
    options.insert("outcome", text("y"));
    options.insert("treatment", text("d"));
    options.insert("instruments", Literal::List(vec![text("z1"), text("z2")]));
    options.insert("covariates", Literal::List((0..N_COVARIATES).map(|column| text(&format!("x{column}"))).collect()));
    match kind {
        "liml" | "gmm" => {
            options.insert("method", text(kind));
            options.insert("se", text("hc0"));
        }
        "cluster" => options.insert("cluster", text("g")),
        "absorb" => options.insert("absorb", text("g")),
        se => options.insert("se", text(se)),
    }
    options
}

fn schema() -> SchemaRef {
    let covariates = (0..N_COVARIATES).map(|column| format!("x{column}"));
    let names = covariates.chain(["z1", "z2", "d", "y"].map(str::to_owned));
    let mut fields: Vec<Field> = names.map(|name| Field::new(name, DataType::Float64, false)).collect();
    fields.push(Field::new("g", DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

/// Makes rows from their numbers, so that any cut gives the same rows.
fn batch(schema: &SchemaRef, start: u64, n_rows: u64) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut columns: Vec<Vec<f64>> = (0..N_COVARIATES + 4).map(|_| Vec::new()).collect();
    let mut groups = Vec::new();
    for row in start..start + n_rows {
        let mut random = Generator(row.wrapping_mul(0xA076_1D64_78BD_642F));
        let mut index = 0.0;
        for column in &mut columns[..N_COVARIATES] {
            let value = random.spread();
            index += 0.1 * value;
            column.push(value);
        }
        let group = random.next() % 1000;
        let [hidden, z1, z2, in_dose, in_outcome] = std::array::from_fn(|_| random.spread());
        let dose = 0.4 * z1 + 0.3 * z2 + index + hidden + in_dose;
        let outcome = 1.0 + 0.5 * dose + index - hidden + in_outcome * (1.0 + 0.5 * z1.abs());
        for (column, value) in columns[N_COVARIATES..].iter_mut().zip([z1, z2, dose, outcome]) {
            column.push(value);
        }
        groups.push(i64::try_from(group).unwrap_or(0));
    }
    let mut arrays: Vec<ArrayRef> =
        columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef).collect();
    arrays.push(Arc::new(Int64Array::from(groups)));
    RecordBatch::try_new(SchemaRef::clone(schema), arrays)
}

/// SplitMix64.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns the sum of two uniform numbers, mean 0 and variance 1.
    #[expect(clippy::cast_precision_loss, reason = "32 bits of randomness")]
    fn spread(&mut self) -> f64 {
        let bits = self.next();
        let sum = (bits >> 32) as f64 + (bits & 0xFFFF_FFFF) as f64;
        (sum / 4_294_967_296.0 - 1.0) * 6.0_f64.sqrt()
    }
}

fn write_columns(folder: &str, batches: &[RecordBatch]) -> Result<(), Box<dyn Error>> {
    let schema = batches.first().ok_or("no rows")?.schema();
    for (index, field) in schema.fields().iter().enumerate() {
        let mut file = BufWriter::new(File::create(PathBuf::from(folder).join(format!("{}.f64", field.name())))?);
        for batch in batches {
            let doubles = arrow::compute::cast(batch.column(index), &DataType::Float64)?;
            let doubles: &Float64Array = arrow::array::AsArray::as_primitive::<Float64Type>(&doubles);
            for value in doubles.values() {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()?;
    }
    Ok(())
}

/// A folder on the disk.
struct Folder(PathBuf);

/// A file that is removed with its handle.
struct Spilled(PathBuf, File);

impl Scratch for Folder {
    fn create(&self) -> Result<Box<dyn ScratchFile>, String> {
        let path = self.0.join(format!("time_iv_regression_{}.rows", std::process::id()));
        let file = File::create(&path).map_err(|error| error.to_string())?;
        Ok(Box::new(Spilled(path, file)))
    }
}

impl ScratchFile for Spilled {
    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.1.write_all(bytes).map_err(|error| error.to_string())
    }

    fn reader(&mut self) -> Result<Box<dyn Read + Send>, String> {
        Ok(Box::new(File::open(&self.0).map_err(|error| error.to_string())?))
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        // what is left in the folder for temporary files is the system's to remove
        let _: std::io::Result<()> = std::fs::remove_file(&self.0);
    }
}

fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(f64::from(u32::try_from(time.tv_sec)?) + f64::from(u32::try_from(time.tv_nsec)?) / 1e9)
}

/// Returns the largest resident memory so far.
fn peak_memory_mb() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}
