//! `causeway plot`: the rows of a query as a picture.

mod curves;
mod forest;
mod network;
mod rows;

use std::io::Write as _;
use std::path::Path;

use causeway_engine::{Outcome, StatementContext};
use causeway_plot::{Format, PlotError};
use futures::StreamExt as _;

use self::rows::{Drawing, Names};
use crate::app::App;
use crate::args::{PlotKind, PlotOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::open_file;
use crate::session::Session;

/// Draws what a query returns.
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
    let drawing = app.wait(async {
        tokio::select! {
            drawing = read(&session, options, &context) => drawing,
            () = interrupts.interrupted() => Err(Failure::new(Exit::Interrupted, "interrupted")),
        }
    })?;
    let (picture, what) = drawing.draw(format).map_err(refused)?;
    let mut sink = open_file(&options.output)?;
    sink.write_all(&picture).and_then(|()| sink.keep()).inspect_err(|_| sink.discard())?;
    app.terminal.note(&format!("{what} drawn to {}", options.output.display()));
    Ok(Exit::Ok)
}

fn refused(error: PlotError) -> Failure {
    let failure = Failure::new(Exit::Failed, error.to_string());
    match error {
        PlotError::Empty => failure.with_hint("the query returned no edge between two different nodes"),
        PlotError::TooMany { .. } => failure.with_hint("--top N draws the N strongest edges"),
        PlotError::NoEstimate | PlotError::NoPoint => failure.with_hint("the query returned no row with a number"),
        PlotError::TooManyRows { .. } | PlotError::TooManyCurves { .. } => {
            failure.with_hint("choose some of them with WHERE")
        }
        _ => failure,
    }
}

fn format(output: &Path) -> Result<Format, Failure> {
    match output.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => Err(Failure::usage(format!("{} must end in .svg or .png", output.display()))),
    }
}

async fn read(
    session: &Session,
    options: &PlotOptions,
    context: &StatementContext,
) -> Result<Box<dyn Drawing>, Failure> {
    let failed = |error: &_| Failure::of_statement(error, &options.query, None, 1);
    let statements = session.engine.analyse(&options.query).map_err(|error| failed(&error))?;
    let only_query = || Failure::usage("a picture is drawn of the rows of one query");
    if statements.len() != 1 || !statements[0].kind.is_read_only() {
        return Err(only_query());
    }
    let outcome = session.engine.execute(&options.query, context).await.map_err(|error| failed(&error))?;
    let Outcome::Rows(mut rows) = outcome else { return Err(only_query()) };
    let mut drawing = start(&Names::of(&rows.schema), options)?;
    while let Some(batch) = rows.stream.next().await {
        drawing.read(&batch.map_err(|error| failed(&error.into()))?)?;
    }
    Ok(drawing)
}

/// Chooses the picture by what is asked for, else by the columns that are there.
fn start(names: &Names, options: &PlotOptions) -> Result<Box<dyn Drawing>, Failure> {
    let kind = options.kind.or_else(|| {
        let by_columns = [
            (PlotKind::Network, network::COLUMNS),
            (PlotKind::Forest, forest::COLUMNS),
            (PlotKind::Curve, curves::COLUMNS),
        ];
        by_columns
            .into_iter()
            .find(|(_, columns)| columns.iter().any(|name| names.find(name).is_some()))
            .map(|(kind, _)| kind)
    });
    Ok(match kind {
        Some(PlotKind::Network) => Box::new(network::Edges::of(names, options)?),
        Some(PlotKind::Forest) => Box::new(forest::Estimates::of(names, options)?),
        Some(PlotKind::Curve) => Box::new(curves::Points::of(names, options)?),
        None => {
            return Err(Failure::usage(format!("the query has no columns to draw; it has {}", names.list()))
                .with_hint(
                    "a network has source and target; a forest plot term and estimate; a curve time and survival or \
                 cumulative_hazard",
                ));
        }
    })
}
