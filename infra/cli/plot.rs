//! `causeway plot`: the rows of a query as a picture.

use std::io::Write as _;
use std::path::Path;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use causeway_engine::{Outcome, StatementContext};
use causeway_plot::{Edge, Format, Network, PlotError, draw};
use futures::StreamExt as _;

use crate::app::App;
use crate::args::PlotOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::open_file;
use crate::session::Session;

/// Columns that are taken for the strength of an edge, the first that is there.
const STRENGTHS: [&str; 4] = ["weight", "strength", "frequency", "statistic"];

/// Draws the network that a query returns.
pub(crate) fn plot(app: &App, options: &PlotOptions) -> Result<Exit, Failure> {
    let format = format(&options.output)?;
    let session = Session::open(app, &options.limits)?;
    let interrupts = app.interrupts();
    let context = StatementContext {
        cancel: interrupts.begin(),
        user: app.user.clone(),
        parameters: options.values.read()?,
        ..StatementContext::default()
    };
    let edges = app.wait(async {
        tokio::select! {
            edges = read(&session, options, &context) => edges,
            () = interrupts.interrupted() => Err(Failure::new(Exit::Interrupted, "interrupted")),
        }
    })?;
    let title = options.title.clone().unwrap_or_default();
    let n_edges = edges.len();
    let network = Network::new(title, edges).strongest(options.top);
    let picture = draw(&network, format).map_err(|error| {
        let failure = Failure::new(Exit::Failed, error.to_string());
        match error {
            PlotError::Empty => failure.with_hint("the query returned no edge between two different nodes"),
            PlotError::TooMany { .. } => failure.with_hint("--top N draws the N strongest edges"),
            _ => failure,
        }
    })?;
    let mut sink = open_file(&options.output)?;
    sink.write_all(&picture).and_then(|()| sink.keep()).inspect_err(|_| sink.discard())?;
    let shown = n_edges.min(options.top);
    app.terminal.note(&format!("{shown} of {n_edges} edges drawn to {}", options.output.display()));
    Ok(Exit::Ok)
}

fn format(output: &Path) -> Result<Format, Failure> {
    match output.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => Err(Failure::usage(format!("{} must end in .svg or .png", output.display()))),
    }
}

async fn read(session: &Session, options: &PlotOptions, context: &StatementContext) -> Result<Vec<Edge>, Failure> {
    let failed = |error: &_| Failure::of_statement(error, &options.query, None, 1);
    let statements = session.engine.analyse(&options.query).map_err(|error| failed(&error))?;
    if statements.len() != 1 || !statements[0].kind.is_read_only() {
        return Err(Failure::usage("a picture is drawn of the rows of one query"));
    }
    let outcome = session.engine.execute(&options.query, context).await.map_err(|error| failed(&error))?;
    let Outcome::Rows(mut rows) = outcome else { return Ok(Vec::new()) };
    let columns = Columns::of(&rows.schema, options)?;
    let mut edges = Vec::new();
    while let Some(batch) = rows.stream.next().await {
        let batch = batch.map_err(|error| failed(&error.into()))?;
        columns.read(&batch, &mut edges)?;
    }
    Ok(edges)
}

/// Where the parts of an edge stand.
struct Columns {
    source: usize,
    target: usize,
    mark: Option<usize>,
    weight: Option<usize>,
}

impl Columns {
    fn of(schema: &Schema, options: &PlotOptions) -> Result<Self, Failure> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let find = |name: &str| names.iter().position(|known| *known == name);
        let required = |name: &str| {
            find(name).ok_or_else(|| {
                Failure::usage(format!("the query has no column `{name}`; it has {}", names.join(", ")))
                    .with_hint("an edge is a row with source and target: SELECT a AS source, b AS target …")
            })
        };
        let weight = match &options.weight {
            Some(name) => Some(required(name)?),
            None => STRENGTHS.into_iter().find_map(find),
        };
        Ok(Self { source: required("source")?, target: required("target")?, mark: find("mark"), weight })
    }

    /// Adds the edges of a batch. Rows without source or target are left out.
    fn read(&self, batch: &RecordBatch, edges: &mut Vec<Edge>) -> Result<(), Failure> {
        let (source, target) = (texts(batch, self.source)?, texts(batch, self.target)?);
        let (source, target) = (source.as_string::<i32>(), target.as_string::<i32>());
        let mark = self.mark.map(|index| texts(batch, index)).transpose()?;
        let mark = mark.as_ref().map(|mark| mark.as_string::<i32>());
        let weight = self.weight.map(|index| numbers(batch, index)).transpose()?;
        let weight = weight.as_ref().map(|weight| weight.as_primitive::<Float64Type>());
        let present = |row: &usize| source.is_valid(*row) && target.is_valid(*row);
        edges.extend((0..batch.num_rows()).filter(present).map(|row| Edge {
            source: source.value(row).to_owned(),
            target: target.value(row).to_owned(),
            directed: mark.is_none_or(|mark| mark.is_valid(row) && mark.value(row) == "->"),
            weight: weight.filter(|weight| weight.is_valid(row)).map(|weight| weight.value(row)),
        }));
        Ok(())
    }
}

fn texts(batch: &RecordBatch, index: usize) -> Result<ArrayRef, Failure> {
    cast(batch.column(index), &DataType::Utf8).map_err(|_| wrong_type(batch, index, "text"))
}

fn numbers(batch: &RecordBatch, index: usize) -> Result<ArrayRef, Failure> {
    let column = batch.column(index);
    let numbers = column.data_type().is_numeric().then(|| cast(column, &DataType::Float64));
    numbers.and_then(Result::ok).ok_or_else(|| wrong_type(batch, index, "a number"))
}

fn wrong_type(batch: &RecordBatch, index: usize, wanted: &str) -> Failure {
    Failure::usage(format!("the column `{}` is not {wanted}", batch.schema_ref().field(index).name()))
}
