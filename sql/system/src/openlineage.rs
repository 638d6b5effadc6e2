//! Rows of `system.openlineage`.

use arrow::array::ArrayRef;
use causeway_model::ChangeRecord;
use causeway_openlineage::EventSource as _;
use datafusion::error::Result;

use crate::cells::{booleans, instants, integers, optional_texts, texts};
use crate::provider::{Ask, catalog_error};

/// The position of the event itself.
const EVENT: usize = 11;

/// Lists what is told. Events are built where the query looks at them, which costs some reads each.
pub(crate) async fn events(ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
    let mut changes = match ask.rights.sees_record() {
        true => ask.catalog.changes(ask.run.as_ref()).await.map_err(catalog_error)?,
        false => Vec::new(),
    };
    changes.truncate(ask.limit.unwrap_or(usize::MAX));
    let mut bodies = Vec::with_capacity(changes.len());
    for change in &changes {
        bodies.push(body(ask, change).await);
    }
    let rows = || changes.iter();
    let failures = || rows().map(|row| row.last_failure.as_ref());
    Ok(vec![
        integers(rows().map(|row| row.change.id)),
        texts(rows().map(|row| &row.change.run.0)),
        optional_texts(rows().map(|row| row.step.as_ref())),
        integers(rows().map(|row| row.change.attempt)),
        texts(rows().map(|row| row.change.transition.name())),
        instants(rows().map(|row| Some(row.change.at.as_str())))?,
        instants(rows().map(|row| row.delivered_at.as_deref()))?,
        booleans(rows().map(|row| row.held)),
        integers(rows().map(|row| row.n_failures)),
        optional_texts(failures().map(|failure| failure.map(|failure| &failure.code))),
        optional_texts(failures().map(|failure| failure.map(|failure| &failure.message))),
        optional_texts(bodies.into_iter()),
    ])
}

async fn body(ask: &Ask<'_>, row: &ChangeRecord) -> Option<String> {
    let is_wanted = ask.columns.is_none_or(|columns| columns.contains(&EVENT));
    let reader = ask.events.filter(|_| is_wanted)?;
    reader.event(&row.change).await.ok().map(|event| event.body)
}
