//! `causeway audit rotate-key`.

use anyhow::Context as _;
use causeway_audit::{KeyRotation, LogKey, PublicKey, Record, append_rotation};
use causeway_model::Catalog;
use causeway_model::audit::read_records;

use super::log::{next_key, sign, state};
use super::open;
use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{Tone, print};

/// Replaces the key. Each step can be done again: the new key lies beside the old one until log and
/// exported file know of it.
pub(super) fn rotate(app: &App) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("the key is replaced by who holds it; --user does not go with it"));
    }
    let (project, catalog) = open(app)?;
    let (file, next) = (project.audit_key(), next_key(&project));
    let turn = file.with_extension("key.lock");
    let turn = std::fs::File::create(&turn).with_context(|| format!("{} cannot be made", turn.display()))?;
    turn.lock().context("another process replaces the key")?;
    let old = LogKey::load_file(&file)?;
    if !next.try_exists()? {
        LogKey::generate()?.create_file(&next)?;
    }
    let new = LogKey::load_file(&next)?;
    app.wait(async { hand_over(catalog.as_ref(), &old, &new.public(), &project).await })?;
    std::fs::rename(&next, &file).with_context(|| format!("{} cannot be replaced", file.display()))?;
    sign(&project, app.wait(state(catalog.as_ref()))?)?;
    let done = app.terminal.paint_output(Tone::Good, "replaced");
    print(&format!("{done}: key {} by {}\n", old.id(), new.id()))?;
    Ok(Exit::Ok)
}

/// Says in the exported file and in the log that the old key hands over to the new one.
async fn hand_over(
    catalog: &dyn Catalog,
    old: &LogKey,
    new: &PublicKey,
    project: &causeway_runtime::Project,
) -> Result<(), Failure> {
    let state = state(catalog).await?;
    if is_recorded(catalog, new).await? {
        return Ok(());
    }
    let rotation = KeyRotation::sign(state.log, old, new)?;
    let known = super::log::exported(&project.audit_heads())?.rotations;
    if !known.iter().any(|known| known.new_key() == new) {
        append_rotation(&project.audit_heads(), &rotation)?;
    }
    catalog.record(rotation.event("admin")).await?;
    Ok(())
}

async fn is_recorded(catalog: &dyn Catalog, new: &PublicKey) -> Result<bool, Failure> {
    let mut is_recorded = false;
    read_records::<Failure>(catalog, 0, |stored| {
        let rotation = Record::decode(&stored.content).ok().and_then(|record| KeyRotation::from_record(&record));
        is_recorded = rotation.is_some_and(|rotation| rotation.new_key() == new);
        Ok(!is_recorded)
    })
    .await?;
    Ok(is_recorded)
}
