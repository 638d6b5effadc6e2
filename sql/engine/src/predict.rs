//! `predict('schema.model', x, …)`: a trained network over the columns of a row.
//!
//! A model is a table of one row whose column `onnx` holds it: it has versions, lineage, grants and a record as every
//! table has. `predict('schema.model', x)` is short for `predict((SELECT onnx FROM schema.model), x)`, and is planned as
//! that, so what reads a model is a read of its table wherever one is looked for.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Float32Type;
use causeway_onnx::{MAX_BYTES, Model, OnnxError};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};
use sha2::{Digest as _, Sha256};

use crate::call::at;
use crate::error::{EngineError, ErrorKind};
use crate::growth::quoted_name;
use crate::parameters::{constant_text, parameter};
use crate::parse::{normalize, parse_query, parse_table_name};

/// The names of the functions.
const NAMES: [&str; 2] = ["predict", "predict_vector"];

/// The column of a model's table that holds it.
const COLUMN: &str = "onnx";

/// How many models are kept ready at most.
const N_READY: usize = 16;

/// How large their files may be together; one is kept whatever its size.
const READY_BYTES: usize = 32 << 20;

/// Returns the functions.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    NAMES.into_iter().map(|name| ScalarUDF::from(Predict::new(name)))
}

/// Puts a query in the place of a model's name.
pub(crate) fn read_model(expr: &mut Expr) -> crate::error::Result<()> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let is_ours = match function.name.0.as_slice() {
        [name] => name.as_ident().is_some_and(|name| NAMES.contains(&normalize(name).as_str())),
        _ => false,
    };
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(model))) = list.args.first_mut().filter(|_| is_ours) else {
        return Ok(());
    };
    if let Some(name) = constant_text(model).filter(|_| parameter(model).is_none()) {
        let table = parse_table_name(&name).map_err(|error| at(model, error))?;
        *model = Expr::Subquery(parse_query(&format!("SELECT {COLUMN} FROM {}", quoted_name(&table)))?);
    }
    Ok(())
}

/// Returns the one row that a file of a model is read as.
pub(crate) fn model_file(path: &Path, shown: &str) -> crate::error::Result<Arc<dyn TableProvider>> {
    let unreadable = |error: std::io::Error| {
        EngineError::new(ErrorKind::Storage, format!("`{shown}` cannot be read: {}", error.kind()))
    };
    let n_bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    let n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX);
    if n_bytes > MAX_BYTES {
        return Err(OnnxError::TooLarge { n_bytes, allowed: MAX_BYTES }.into());
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let model = Model::load(&bytes)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    let count = |n: usize| Int64Array::from(vec![i64::try_from(n).unwrap_or(i64::MAX)]);
    let columns: [(&str, ArrayRef); 4] = [
        (COLUMN, Arc::new(BinaryArray::from(vec![bytes.as_slice()]))),
        ("sha256", Arc::new(StringArray::from(vec![digest]))),
        ("n_features", Arc::new(count(model.n_features()))),
        ("n_outputs", Arc::new(count(model.n_outputs()))),
    ];
    let row = RecordBatch::try_from_iter(columns).map_err(DataFusionError::from)?;
    Ok(Arc::new(MemTable::try_new(row.schema(), vec![vec![row]])?))
}

/// One of the functions.
#[derive(Debug)]
struct Predict {
    name: &'static str,
    signature: Signature,
    /// Models read a short while ago, with their bytes; the newest is the last.
    ready: Mutex<Vec<(Vec<u8>, Arc<Model>)>>,
}

impl Predict {
    fn new(name: &'static str) -> Self {
        let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
        Self { name, signature, ready: Mutex::default() }
    }

    fn is_vector(&self) -> bool {
        self.name == NAMES[1]
    }

    fn refused(&self, problem: &str) -> EngineError {
        EngineError::new(ErrorKind::Plan, format!("{}: {problem}", self.name)).with_hint(format!(
            "{}('schema.model', x, …) takes the model's table and then the model's features, in their order",
            self.name
        ))
    }

    /// Returns a model that is read once for many batches.
    fn model(&self, bytes: &[u8]) -> crate::error::Result<Arc<Model>> {
        let ready = || self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, model)) = ready().iter().find(|(known, _)| known == bytes) {
            return Ok(Arc::clone(model));
        }
        // Others go on meanwhile.
        let model = Arc::new(Model::load(bytes)?);
        let mut ready = ready();
        ready.push((bytes.to_vec(), Arc::clone(&model)));
        let n_bytes = |ready: &[(Vec<u8>, _)]| ready.iter().map(|(bytes, _)| bytes.len()).sum::<usize>();
        while ready.len() > N_READY || (ready.len() > 1 && n_bytes(&ready) > READY_BYTES) {
            ready.remove(0);
        }
        Ok(model)
    }

    /// Answers for the rows of a batch. A model is mostly the same for all of them.
    fn answers(&self, args: &ScalarFunctionArgs) -> crate::error::Result<ArrayRef> {
        let n_rows = args.number_rows;
        let features = args.args.iter().skip(1).map(|feature| feature.to_array(n_rows)).collect::<Result<Vec<_>>>()?;
        let models = match args.args.first() {
            Some(ColumnarValue::Array(models)) => Arc::clone(models),
            Some(ColumnarValue::Scalar(model)) => model.to_array()?,
            None => return Err(self.refused("the model and its features are expected")),
        };
        let models = models.as_binary::<i32>();
        if n_rows > 0 && models.len() == 1 {
            return self.answer(&*self.model(run_of(models, 0)?.0)?, &features, n_rows);
        }
        let mut parts = vec![arrow::array::new_empty_array(args.return_type())];
        let mut start = 0;
        while start < n_rows {
            let (model, n_run) = run_of(models, start)?;
            let run: Vec<ArrayRef> = features.iter().map(|feature| feature.slice(start, n_run)).collect();
            parts.push(self.answer(&*self.model(model)?, &run, n_run)?);
            start += n_run;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(arrow::compute::concat(&parts).map_err(DataFusionError::from)?)
    }

    fn answer(&self, model: &Model, features: &[ArrayRef], n_rows: usize) -> crate::error::Result<ArrayRef> {
        let given = features.len();
        if given != model.n_features() {
            return Err(OnnxError::Features { expected: model.n_features(), found: given }.into());
        }
        if !self.is_vector() && model.n_outputs() != 1 {
            return Err(self
                .refused(&format!("the model gives {} numbers for a row", model.n_outputs()))
                .with_hint("predict_vector gives all of them as a list"));
        }
        let columns: Vec<&[f32]> =
            features.iter().map(|column| column.as_primitive::<Float32Type>().values().as_ref()).collect();
        let numbers: Vec<f64> = model.predict(&columns)?.into_iter().map(f64::from).collect();
        // What a gap hides was computed with whatever stood there.
        let gaps = features.iter().fold(None, |gaps, column| NullBuffer::union(gaps.as_ref(), column.nulls()));
        if !self.is_vector() {
            return Ok(Arc::new(Float64Array::new(numbers.into(), gaps)));
        }
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(model.n_outputs(), n_rows));
        Ok(Arc::new(ListArray::new(item(), offsets, Arc::new(Float64Array::from(numbers)), gaps)))
    }
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

/// Returns the bytes of a model, and the number of rows from `start` on that it is for.
fn run_of(models: &BinaryArray, start: usize) -> crate::error::Result<(&[u8], usize)> {
    let missing =
        || EngineError::new(ErrorKind::Model, "there is no model: its table has no row, or its column is NULL");
    let model = models.is_valid(start).then(|| models.value(start)).ok_or_else(missing)?;
    let is_same = |row: &usize| models.is_valid(*row) && models.value(*row) == model;
    Ok((model, (start..models.len()).take_while(is_same).count()))
}

impl ScalarUDFImpl for Predict {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Types that do not fit are left as they are; [`Self::return_type`] says why in words of its own.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let coerced = types.iter().enumerate().map(|(place, kind)| match kind {
            DataType::Null if place == 0 => DataType::Binary,
            kind if place == 0 && kind.is_binary() => DataType::Binary,
            DataType::Null | DataType::Boolean if place > 0 => DataType::Float32,
            kind if place > 0 && kind.is_numeric() => DataType::Float32,
            kind => kind.clone(),
        });
        Ok(coerced.collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some((model, features)) = types.split_first().filter(|(_, features)| !features.is_empty()) else {
            return Err(self.refused("the model and at least one feature are expected").into_datafusion());
        };
        if *model != DataType::Binary {
            return Err(self.refused("the first argument is no model").into_datafusion());
        }
        if let Some(place) = features.iter().position(|kind| *kind != DataType::Float32) {
            let kind = crate::types::sql_type(&features[place]);
            let problem = format!("feature {} is {kind}; a model takes numbers", place + 1);
            let hint = "make it a number as in the model's training, for example CASE sex WHEN 'f' THEN 1 ELSE 0 END";
            return Err(self.refused(&problem).with_hint(hint).into_datafusion());
        }
        Ok(if self.is_vector() { DataType::List(item()) } else { DataType::Float64 })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.answers(&args).map(ColumnarValue::Array).map_err(EngineError::into_datafusion)
    }
}

/// Both functions differ in their names alone; what is kept ready is no part of what they are.
impl PartialEq for Predict {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Predict {}

impl Hash for Predict {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
