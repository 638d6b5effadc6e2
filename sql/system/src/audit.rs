//! Rows of `system.audit`.

use arrow::array::ArrayRef;
use causeway_audit::{Digest, Object, ObjectKind, Record};
use causeway_model::audit::read_records;
use causeway_model::{Catalog, CatalogError};
use datafusion::error::Result;

use crate::cells::{instants, integers, optional_integers, optional_texts, text_lists, texts};
use crate::provider::catalog_error;

/// A record; one that was damaged has a number and nothing else.
struct Row {
    sequence: i64,
    record: Option<Record>,
    leaf_hash: String,
}

pub(crate) async fn audit(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let mut all = Vec::new();
    let read = read_records::<CatalogError>(catalog, 0, |stored| {
        all.push(Row {
            sequence: stored.sequence,
            record: Record::decode(&stored.content).ok(),
            leaf_hash: <[u8; 32]>::try_from(stored.leaf_hash)
                .map_or_else(|_| String::new(), |hash| Digest::from_bytes(hash).to_string()),
        });
        Ok(true)
    });
    read.await.map_err(catalog_error)?;
    let records = || all.iter().map(|row| row.record.as_ref());
    Ok(vec![
        integers(all.iter().map(|row| row.sequence)),
        instants(records().map(|record| Some(record?.time().as_str())))?,
        optional_texts(records().map(|record| Some(record?.actor()))),
        optional_texts(records().map(|record| word(&record?.action()))),
        optional_texts(records().map(|record| word(&record?.outcome().state))),
        optional_texts(records().map(|record| record?.outcome().code.as_deref())),
        optional_texts(records().map(|record| record?.context().run.as_deref())),
        optional_integers(records().map(|record| record?.context().step)),
        optional_texts(records().map(statement)),
        text_lists(records().map(|record| record.map_or(&[][..], Record::objects).iter().filter_map(name))),
        optional_texts(records().map(|record| serde_json::to_string(record?.facts()).ok())),
        texts(all.iter().map(|row| row.leaf_hash.as_str())),
    ])
}

/// Returns the word that stands in the record.
fn word(value: &impl serde::Serialize) -> Option<String> {
    Some(serde_json::to_value(value).ok()?.as_str()?.to_owned())
}

fn statement(record: Option<&Record>) -> Option<String> {
    let statement = record?.objects().iter().find(|object| object.kind == ObjectKind::Statement)?;
    statement.digest.as_ref().map(ToString::to_string)
}

fn name(object: &Object) -> Option<String> {
    match (object.kind, object.version) {
        (ObjectKind::Statement, _) => None,
        (_, Some(version)) => Some(format!("{}@{version}", object.name)),
        (_, None) => Some(object.name.clone()),
    }
}
