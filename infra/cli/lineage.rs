//! `causeway lineage`: what a table or column came from, as a tree, a graph or events.

mod columns;
mod dot;
mod events;
pub(crate) mod graph;
mod layout;
mod svg;
mod tables;

use std::path::Path;

use causeway_model::{Catalog, Direction};
use causeway_system::Target;
use serde_json::json;

use crate::app::App;
use crate::args::{LimitOptions, LineageFormat, LineageOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::record::Record;
use crate::session::open_catalog;
use crate::terminal::print;

/// Draws the lineage of a table or column.
pub(crate) fn lineage(app: &App, options: &LineageOptions) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("this command draws the whole record, whoever asks; --user does not go with it")
            .with_hint("ask in SQL for what the user may see: SELECT * FROM lineage_upstream('schema.table')"));
    }
    let format = format(app, options)?;
    let project = app.project(&LimitOptions::default())?;
    let direction = if options.downstream { Direction::Downstream } else { Direction::Upstream };
    let text = app.wait(async {
        let catalog = open_catalog(&project).await?;
        let target = target(catalog.as_ref(), options).await?;
        let question = Question { app, options, direction, target };
        match format {
            LineageFormat::Tree => Ok(question.tree(catalog.as_ref()).await?.draw() + "\n"),
            LineageFormat::Json => Ok(json!(question.tree(catalog.as_ref()).await?).to_string() + "\n"),
            LineageFormat::Dot => Ok(dot::dot(&question.graph(catalog.as_ref()).await?)),
            LineageFormat::Svg => Ok(svg::svg(&question.graph(catalog.as_ref()).await?, &question.title())),
            LineageFormat::Openlineage => {
                events::lines(&project, catalog, &question.target, direction, options.depth).await
            }
        }
    })?;
    match &options.output {
        Some(path) => write(path, &text)?,
        None => print(&text)?,
    }
    Ok(Exit::Ok)
}

/// Returns what to write: as told, or what the name of the output file ends in.
fn format(app: &App, options: &LineageOptions) -> Result<LineageFormat, Failure> {
    if app.terminal.json && options.format.is_some_and(|format| format != LineageFormat::Json) {
        return Err(Failure::usage("--json and --format contradict each other"));
    }
    let ending = options.output.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
    let of_file = match ending {
        Some("dot" | "gv") => Some(LineageFormat::Dot),
        Some("svg") => Some(LineageFormat::Svg),
        Some("json") => Some(LineageFormat::Json),
        Some("ndjson") => Some(LineageFormat::Openlineage),
        _ => None,
    };
    let json = app.terminal.json.then_some(LineageFormat::Json);
    Ok(options.format.or(json).or(of_file).unwrap_or(LineageFormat::Tree))
}

/// Finds the target; its version may stand in its name, after an `@`.
async fn target(catalog: &dyn Catalog, options: &LineageOptions) -> Result<Target, Failure> {
    let named = options.target.rsplit_once('@').and_then(|(name, version)| Some((name, version.parse().ok()?)));
    match named {
        Some((name, version)) if options.version.is_none_or(|wanted| wanted == version) => {
            match Target::find(catalog, name, Some(version)).await {
                Ok(target) => Ok(target),
                // A file's name may hold the sign itself.
                Err(error) => Target::find(catalog, &options.target, None).await.map_err(|_| error.into()),
            }
        }
        _ => Ok(Target::find(catalog, &options.target, options.version).await?),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display()))
            .with_hint("does its folder exist?")
    })
}

/// What was asked.
struct Question<'a> {
    app: &'a App,
    options: &'a LineageOptions,
    direction: Direction,
    target: Target,
}

impl Question<'_> {
    fn is_about_columns(&self) -> bool {
        self.options.columns || self.target.column.is_some()
    }

    async fn tree(&self, catalog: &dyn Catalog) -> Result<crate::tree::Node, Failure> {
        let (terminal, depth) = (&self.app.terminal, self.options.depth);
        if self.is_about_columns() {
            return columns::tree(terminal, catalog, &self.target, self.direction, depth).await;
        }
        let record = Record::around(catalog, &self.target.version, self.direction, depth).await?;
        Ok(tables::tree(terminal, &record, &self.target, self.direction, depth))
    }

    async fn graph(&self, catalog: &dyn Catalog) -> Result<graph::Graph, Failure> {
        let depth = self.options.depth;
        if self.is_about_columns() {
            return graph::of_columns(catalog, &self.target, self.direction, depth).await;
        }
        let record = Record::around(catalog, &self.target.version, self.direction, depth).await?;
        Ok(graph::of_tables(&record, &self.target, self.direction, depth))
    }

    /// Says what the picture shows.
    fn title(&self) -> String {
        let what = match self.direction {
            Direction::Upstream => "what it came from",
            Direction::Downstream => "what was made from it",
        };
        let column = self.target.column.as_ref().map(|column| format!(".{column}")).unwrap_or_default();
        format!("{}{column} @{}: {what}", self.target.dataset.name, self.target.version.version)
    }
}
