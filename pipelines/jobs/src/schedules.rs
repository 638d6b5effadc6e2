//! What people do with schedules: add, look, pause, drop, backfill; each within their rights.

use std::path::Path;

use causeway_engine::Engine;
use causeway_model::{
    Backfill, BackfillId, CatalogError, Moment, NewBackfill, ReadableColumns, Registered, Rights, SLOT_PARAMETERS,
    ScheduleEntry, ScheduleId, ScheduleSpec, Slot, TableName, Trigger, TriggerKind,
};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, TimeZone, Utc};

use crate::error::{JobsError, Result};
use crate::pipeline::Pipeline;
use crate::queue::manages_all;
use crate::schedule::Schedule;
use crate::terms::split_path;

/// The priority of a backfill's jobs unless it says otherwise: a day behind fresh work.
pub const BACKFILL_PRIORITY: i64 = -86_400;

/// A range of a schedule that somebody wants run.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// The schedule's name.
    pub schedule: String,
    /// Where the range begins: a date in the schedule's zone, or an RFC 3339 instant.
    pub from: String,
    /// Where it ends: a date, which is part of it, or an instant, which is not; now if not given.
    pub to: Option<String>,
    /// True to run slots again that have succeeded.
    pub rerun: bool,
    /// Jobs that wait or run at once.
    pub at_once: i64,
    /// The priority of its jobs.
    pub priority: i64,
}

/// The book of schedules as one user sees it.
#[derive(Clone)]
pub struct Schedules {
    engine: Engine,
    user: Option<String>,
}

impl Schedules {
    /// Makes the view of `user`; `None` for the embedded mode's admin.
    pub fn new(engine: Engine, user: Option<String>) -> Self {
        Self { engine, user }
    }

    /// Adds a pipeline's schedule, or changes it to what its manifest says now. Its jobs run with the
    /// rights of this user.
    ///
    /// # Errors
    /// What is wrong with the pipeline; [`JobsError::Schedule`] if it has neither a rule nor a trigger, or a
    /// trigger that would fire itself or watches what may not be read; [`JobsError::Denied`] if the schedule
    /// is another user's.
    pub async fn add(&self, folder: &Path) -> Result<Registered> {
        let rights = self.rights().await?;
        let pipeline = Pipeline::load(folder, &self.engine)?;
        let spec = spec(&pipeline, folder, &rights)?;
        if let Some(known) = self.engine.catalog().schedule(&spec.name).await?
            && known.spec.owner != rights.user
        {
            return Err(denied(&rights, &known, "only its owner changes what runs with the owner's rights"));
        }
        self.check_triggers(&pipeline, &spec, &rights).await?;
        let now = self.engine.catalog().agenda().await?.now;
        let next = pipeline.schedule().and_then(|schedule| schedule.first_after(now));
        Ok(self.engine.catalog().put_schedule(&spec, next, &rights.user).await?)
    }

    async fn check_triggers(&self, pipeline: &Pipeline, spec: &ScheduleSpec, rights: &Rights) -> Result<()> {
        for trigger in &spec.triggers {
            match trigger.kind {
                TriggerKind::Table => check_table(pipeline, &trigger.target, rights)?,
                TriggerKind::Path => {
                    let (folder, _) = split_path(&trigger.target).map_err(JobsError::Schedule)?;
                    self.engine.readable_folder(folder, Path::new(&spec.work))?;
                }
                TriggerKind::Pipeline => self.check_circle(&spec.name, &trigger.target).await?,
            }
        }
        Ok(())
    }

    /// Refuses a pipeline that would, over others, fire itself for ever.
    async fn check_circle(&self, name: &str, awaited: &str) -> Result<()> {
        let known = self.engine.catalog().schedules().await?;
        let mut chain = vec![awaited.to_owned()];
        let mut at = 0;
        while let Some(current) = chain.get(at).cloned() {
            if current == name {
                return Err(JobsError::Schedule(format!(
                    "pipeline `{name}` would fire itself: it waits for `{awaited}`, which waits for it in turn"
                )));
            }
            let entry = known.iter().find(|entry| entry.spec.name == current);
            for target in entry.iter().flat_map(|entry| pipelines(&entry.spec.triggers)) {
                if !chain.iter().any(|seen| seen == target) {
                    chain.push(target.to_owned());
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// Lists the schedules that this user may see, by name.
    ///
    /// # Errors
    /// Errors of the catalog.
    pub async fn list(&self) -> Result<Vec<ScheduleEntry>> {
        let rights = self.rights().await?;
        let all = self.engine.catalog().schedules().await?;
        Ok(all.into_iter().filter(|entry| sees(&rights, entry)).collect())
    }

    /// Returns a schedule.
    ///
    /// # Errors
    /// If there is none, or it is another user's and may not be seen.
    pub async fn find(&self, name: &str) -> Result<ScheduleEntry> {
        let rights = self.rights().await?;
        let found = self.engine.catalog().schedule(name).await?;
        found.filter(|entry| sees(&rights, entry)).ok_or_else(|| not_found(name))
    }

    /// Lists slots of a schedule, newest first.
    ///
    /// # Errors
    /// As [`Schedules::find`].
    pub async fn slots(&self, name: &str, limit: i64) -> Result<Vec<Slot>> {
        let entry = self.find(name).await?;
        Ok(self.engine.catalog().slots(Some(entry.id), limit).await?)
    }

    /// Stops a schedule from firing.
    ///
    /// # Errors
    /// If it is another user's.
    pub async fn pause(&self, name: &str) -> Result<ScheduleEntry> {
        let (rights, entry) = self.manage(name).await?;
        Ok(self.engine.catalog().pause_schedule(entry.id, &rights.user).await?)
    }

    /// Lets a schedule fire again. Firings by the clock that came meanwhile are passed over; what its
    /// triggers watch and has changed meanwhile fires it once.
    ///
    /// # Errors
    /// If it is another user's.
    pub async fn resume(&self, name: &str) -> Result<ScheduleEntry> {
        let (rights, entry) = self.manage(name).await?;
        let now = self.engine.catalog().agenda().await?.now;
        let rule = entry.spec.rule.as_ref().map(Schedule::of_rule).transpose()?;
        let next = rule.and_then(|rule| rule.first_after(now));
        Ok(self.engine.catalog().resume_schedule(entry.id, next, &rights.user).await?)
    }

    /// Ends a schedule and its backfills; its slots and jobs stay.
    ///
    /// # Errors
    /// If it is another user's.
    pub async fn drop(&self, name: &str) -> Result<()> {
        let (rights, entry) = self.manage(name).await?;
        Ok(self.engine.catalog().drop_schedule(entry.id, &rights.user).await?)
    }

    /// Starts a backfill, whose jobs a scheduler queues.
    ///
    /// # Errors
    /// If the schedule is another user's or has no rule, or the range is none.
    pub async fn backfill(&self, request: &BackfillRequest) -> Result<Backfill> {
        let (rights, entry) = self.manage(&request.schedule).await?;
        let now = self.engine.catalog().agenda().await?.now;
        let Some(rule) = &entry.spec.rule else {
            let problem = format!("schedule `{}` has triggers alone, so no moments to fill", entry.spec.name);
            return Err(JobsError::Schedule(problem));
        };
        let schedule = Schedule::of_rule(rule)?;
        let new = NewBackfill {
            schedule: entry.id,
            from: bound(&schedule, &request.from, Bound::From)?,
            to: request.to.as_ref().map_or(Ok(now), |to| bound(&schedule, to, Bound::To))?.min(now),
            rerun: request.rerun,
            at_once: request.at_once,
            priority: request.priority,
        };
        if new.from >= new.to {
            return Err(JobsError::Schedule("the range is empty: --from lies before --to, and in the past".to_owned()));
        }
        Ok(self.engine.catalog().start_backfill(&new, &rights.user).await?)
    }

    /// Stops a backfill and those of its jobs that wait.
    ///
    /// # Errors
    /// If it is done, or its schedule another user's.
    pub async fn cancel_backfill(&self, id: BackfillId) -> Result<Backfill> {
        let backfill = self.engine.catalog().backfill(id).await?;
        let (rights, _) = self.manage(&backfill.name).await?;
        Ok(self.engine.catalog().cancel_backfill(id, &rights.user).await?)
    }

    /// Returns a backfill.
    ///
    /// # Errors
    /// If there is none, or it may not be seen.
    pub async fn backfill_of(&self, id: BackfillId) -> Result<Backfill> {
        let backfill = self.engine.catalog().backfill(id).await?;
        self.find(&backfill.name).await?;
        Ok(backfill)
    }

    /// Lists the backfills of a schedule, or of all that this user may see, newest first.
    ///
    /// # Errors
    /// As [`Schedules::find`].
    pub async fn backfills(&self, name: Option<&str>) -> Result<Vec<Backfill>> {
        if let Some(name) = name {
            let entry = self.find(name).await?;
            return Ok(self.engine.catalog().backfills(Some(entry.id)).await?);
        }
        let seen: Vec<ScheduleId> = self.list().await?.into_iter().map(|entry| entry.id).collect();
        let all = self.engine.catalog().backfills(None).await?;
        Ok(all.into_iter().filter(|backfill| seen.contains(&backfill.spec.schedule)).collect())
    }

    /// Checks that this user may fire the schedules of all.
    ///
    /// # Errors
    /// [`JobsError::Denied`] for anybody but an admin or operator.
    pub async fn may_schedule(&self) -> Result<()> {
        if manages_all(&self.rights().await?) {
            return Ok(());
        }
        Err(JobsError::Denied("a scheduler fires the schedules of all users; that needs the role operator".to_owned()))
    }

    async fn manage(&self, name: &str) -> Result<(Rights, ScheduleEntry)> {
        let rights = self.rights().await?;
        let found = self.engine.catalog().schedule(name).await?.ok_or_else(|| not_found(name))?;
        if manages_all(&rights) || found.spec.owner == rights.user {
            return Ok((rights, found));
        }
        Err(denied(&rights, &found, "that needs the role operator"))
    }

    async fn rights(&self) -> Result<Rights> {
        Ok(self.engine.rights(self.user.as_deref()).await?)
    }
}

fn spec(pipeline: &Pipeline, folder: &Path, rights: &Rights) -> Result<ScheduleSpec> {
    let name = pipeline.name();
    if pipeline.schedule().is_none() && pipeline.triggers().is_empty() {
        return Err(JobsError::Schedule(format!(
            "pipeline `{name}` says nowhere when it runs; add [schedule] or [[trigger]] to its pipeline.toml"
        )));
    }
    let is_given = |name: &str| SLOT_PARAMETERS.contains(&name) || pipeline.defaults().get(name).is_some();
    if let Some(other) = pipeline.parameters().iter().find(|name| !is_given(name)) {
        return Err(JobsError::Schedule(format!(
            "pipeline `{name}` uses `:{other}`, which no schedule gives; it gives :slot_start, :slot_end and :run_date; \
             give others a value in [parameters] of pipeline.toml"
        )));
    }
    let work = folder.canonicalize().map_err(|error| JobsError::io(folder, error))?;
    Ok(ScheduleSpec {
        name: name.to_owned(),
        work: work.display().to_string(),
        owner: rights.user.clone(),
        rule: pipeline.schedule().map(Schedule::rule),
        missed: pipeline.missed(),
        triggers: pipeline.triggers().to_vec(),
        terms: pipeline.terms().of_schedule(name),
    })
}

/// Refuses a table that the pipeline writes itself, and one that the user may not know to change.
fn check_table(pipeline: &Pipeline, target: &str, rights: &Rights) -> Result<()> {
    let (schema, table) = target.split_once('.').unwrap_or_default();
    let table = TableName::new(schema, table);
    if pipeline.writes(&table) {
        let problem = format!("pipeline `{}` writes `{table}` itself and would fire itself", pipeline.name());
        return Err(JobsError::Schedule(problem));
    }
    if rights.readable(&table) == ReadableColumns::None {
        return Err(JobsError::Denied(format!("to be told of new versions of `{table}` needs SELECT on it")));
    }
    Ok(())
}

fn pipelines(triggers: &[Trigger]) -> impl Iterator<Item = &str> {
    let of_pipelines = triggers.iter().filter(|trigger| trigger.kind == TriggerKind::Pipeline);
    of_pipelines.map(|trigger| trigger.target.as_str())
}

fn sees(rights: &Rights, entry: &ScheduleEntry) -> bool {
    manages_all(rights) || rights.sees_record() || entry.spec.owner == rights.user
}

fn not_found(name: &str) -> JobsError {
    CatalogError::NotFound { what: "schedule", name: name.to_owned() }.into()
}

/// Says of a schedule that may not be seen what is said of one that is not there, where that keeps it.
fn denied(rights: &Rights, entry: &ScheduleEntry, why: &str) -> JobsError {
    let name = &entry.spec.name;
    if sees(rights, entry) {
        return JobsError::Denied(format!("schedule `{name}` is another user's; {why}"));
    }
    not_found(name)
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    From,
    To,
}

/// Reads an end of a range: an instant, or a day, which belongs to the range.
fn bound(schedule: &Schedule, text: &str, bound: Bound) -> Result<Moment> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(Moment(instant.timestamp_millis()));
    }
    let day = text.parse::<NaiveDate>().ok().and_then(|day| match bound {
        Bound::From => Some(day),
        Bound::To => day.succ_opt(),
    });
    day.and_then(|day| midnight(schedule, day)).ok_or_else(|| {
        JobsError::Schedule(format!(
            "`{text}` is neither a date such as 2026-03-01 nor an instant such as 2026-03-01T02:30:00Z"
        ))
    })
}

/// Returns the first moment of a day in the schedule's zone.
fn midnight(schedule: &Schedule, day: NaiveDate) -> Option<Moment> {
    let wall = day.and_time(NaiveTime::MIN);
    let quarters = (0..=4 * 24).map(|quarters| wall + Duration::minutes(15 * quarters));
    let first = quarters.filter_map(|wall| schedule.zone().from_local_datetime(&wall).earliest()).next()?;
    Some(Moment(first.with_timezone(&Utc).timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use causeway_model::{Fold, Gap};

    use super::*;

    fn read(zone: &str, text: &str, which: Bound) -> String {
        let schedule = Schedule::parse("0 0 * * *", zone, Gap::RunAfter, Fold::First).unwrap();
        let moment = bound(&schedule, text, which).unwrap();
        DateTime::from_timestamp_millis(moment.0).unwrap().to_rfc3339()
    }

    #[test]
    fn a_day_is_the_whole_day_of_the_zone() {
        assert_eq!(read("Europe/Berlin", "2026-03-29", Bound::From), "2026-03-28T23:00:00+00:00");
        assert_eq!(read("Europe/Berlin", "2026-03-29", Bound::To), "2026-03-29T22:00:00+00:00");
        let skipped = read("America/Sao_Paulo", "2018-11-04", Bound::From);
        assert_eq!(skipped, "2018-11-04T03:00:00+00:00", "midnight was skipped there");
    }

    #[test]
    fn an_instant_is_itself() {
        for which in [Bound::From, Bound::To] {
            assert_eq!(read("Asia/Kolkata", "2026-03-29T02:30:00+02:00", which), "2026-03-29T00:30:00+00:00");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let schedule = Schedule::parse("0 0 * * *", "UTC", Gap::RunAfter, Fold::First).unwrap();
        for text in ["yesterday", "2026-02-30", "2026-03-01T00:00", ""] {
            assert_eq!(bound(&schedule, text, Bound::From).unwrap_err().code(), "CW0605", "{text}");
        }
    }
}
