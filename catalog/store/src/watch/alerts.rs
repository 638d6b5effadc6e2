//! Alerts, kept until everybody was told.

use causeway_model::{Alert, AlertEnd, AlertId, AlertTransition, JobId, NewAlert};

use super::{names, names_json};
use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, not_found};
use crate::jobs::{instant, now};
use crate::rows::word;
use crate::schedules::is_late;

macro_rules! take_due {
    ($lock:literal) => {
        concat!(
            "UPDATE alert SET next_at = $1 WHERE id IN (SELECT id FROM alert WHERE state = 'waiting' AND next_at <= $2 \
             ORDER BY next_at, id LIMIT $3",
            $lock,
            ") RETURNING *"
        )
    };
}

const TAKE: Sql = Sql { sqlite: take_due!(""), postgres: take_due!(" FOR UPDATE SKIP LOCKED") };

pub(crate) async fn raise(connection: &mut Connection, alert: &NewAlert) -> Result<bool> {
    let now = now(connection).await?;
    let raised = connection
        .query(
            "INSERT INTO alert (key, transition, pipeline, folder, job_id, run, error_code, at, state, delivered_to, \
             next_at) VALUES ($1, $2, $3, $4, $5, (SELECT run FROM job WHERE id = $5), \
             (SELECT error_code FROM job WHERE id = $5), $6, 'waiting', '[]', $6) ON CONFLICT (key) DO NOTHING",
        )
        .bind(&alert.key)
        .bind(alert.transition.name())
        .bind(&alert.pipeline)
        .bind(&alert.folder)
        .bind(alert.job.map(|job| job.0))
        .bind(now)
        .execute()
        .await?;
    Ok(raised > 0)
}

/// Looks whether it is time to look at a slot, so that an idle process writes nothing.
pub(crate) async fn is_look_due(connection: &mut Connection) -> Result<bool> {
    let now = now(connection).await?;
    let found = connection.query("SELECT 1 FROM slot WHERE look_at < $1 LIMIT 1").bind(now).fetch_optional().await?;
    Ok(found.is_some())
}

/// Looks at the slots whose time has come, at most `limit`. For each that is late it raises an alert under a key of its
/// own, so that each is told once; one whose job has started in time is looked at again when it should have ended.
pub(crate) async fn raise_late(connection: &mut Connection, limit: i64) -> Result<u64> {
    let now = now(connection).await?;
    let due = connection
        .query(concat!(
            "SELECT l.schedule_id, l.fire_at, CAST(CASE WHEN ",
            is_late!("$1"),
            " THEN 1 ELSE 0 END AS BIGINT) AS late FROM slot l JOIN schedule s ON s.id = l.schedule_id \
             JOIN job j ON j.id = l.job_id WHERE l.look_at < $1 ORDER BY l.look_at, l.schedule_id LIMIT $2"
        ))
        .bind(now)
        .bind(limit.max(0))
        .fetch_all()
        .await?;
    let mut n_raised = 0;
    for row in &due {
        let (schedule, fire_at): (i64, i64) = (row.get("schedule_id")?, row.get("fire_at")?);
        if row.get::<i64>("late")? == 0 {
            look_at_its_end(connection, schedule, fire_at, now).await?;
        } else {
            n_raised += tell_late(connection, schedule, fire_at, now).await?;
        }
    }
    Ok(n_raised)
}

async fn tell_late(connection: &mut Connection, schedule: i64, fire_at: i64, now: i64) -> Result<u64> {
    let told = "UPDATE slot SET look_at = NULL WHERE schedule_id = $1 AND fire_at = $2";
    connection.query(told).bind(schedule).bind(fire_at).execute().await?;
    connection
        .query(
            "INSERT INTO alert (key, transition, pipeline, folder, job_id, run, error_code, at, state, delivered_to, \
             next_at) SELECT 'late/' || l.schedule_id || '/' || l.fire_at, 'late', s.name, j.work, j.id, j.run, \
             j.error_code, $1, 'waiting', '[]', $1 FROM slot l JOIN schedule s ON s.id = l.schedule_id \
             JOIN job j ON j.id = l.job_id WHERE l.schedule_id = $2 AND l.fire_at = $3 ON CONFLICT (key) DO NOTHING",
        )
        .bind(now)
        .bind(schedule)
        .bind(fire_at)
        .execute()
        .await
}

async fn look_at_its_end(connection: &mut Connection, schedule: i64, fire_at: i64, now: i64) -> Result<()> {
    connection
        .query(
            "UPDATE slot SET look_at = (SELECT fire_at + s.end_within_ms FROM schedule s WHERE s.id = schedule_id \
             AND fire_at + s.end_within_ms >= $1) WHERE schedule_id = $2 AND fire_at = $3",
        )
        .bind(now)
        .bind(schedule)
        .bind(fire_at)
        .execute()
        .await
        .map(drop)
}

/// Looks whether somebody is to be told, so that an idle process writes nothing.
pub(crate) async fn is_due(connection: &mut Connection) -> Result<bool> {
    let sql = Sql {
        sqlite: "SELECT EXISTS (SELECT 1 FROM alert WHERE state = 'waiting' \
                 AND next_at <= CAST(ROUND(1000 * unixepoch('now', 'subsec')) AS INTEGER))",
        postgres: "SELECT EXISTS (SELECT 1 FROM alert WHERE state = 'waiting' \
                   AND next_at <= CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))",
    };
    connection.query(sql).fetch_scalar().await
}

pub(crate) async fn claim(connection: &mut Connection, lease_ms: i64, limit: i64) -> Result<Vec<Alert>> {
    let now = now(connection).await?;
    let rows =
        connection.query(TAKE).bind(now.saturating_add(lease_ms)).bind(now).bind(limit.max(0)).fetch_all().await?;
    let mut alerts = rows.iter().map(alert).collect::<Result<Vec<_>>>()?;
    alerts.sort_by_key(|alert| alert.id);
    Ok(alerts)
}

fn alert(row: &Row) -> Result<Alert> {
    Ok(Alert {
        id: AlertId(row.get("id")?),
        spec: NewAlert {
            key: row.get("key")?,
            transition: word(row.get("transition")?, &AlertTransition::ALL, AlertTransition::name)?,
            pipeline: row.get("pipeline")?,
            folder: row.get("folder")?,
            job: row.get::<Option<i64>>("job_id")?.map(JobId),
        },
        run: row.get("run")?,
        error_code: row.get("error_code")?,
        at: instant(row.get("at")?)?,
        delivered_to: names(row.get("delivered_to")?)?,
        n_failures: row.get("n_failures")?,
    })
}

pub(crate) async fn end(
    connection: &mut Connection,
    alert: AlertId,
    delivered_to: &[String],
    end: AlertEnd,
) -> Result<()> {
    let now = now(connection).await?;
    let (state, n_failures, next_at) = match end {
        AlertEnd::Delivered => ("delivered", 0, now),
        AlertEnd::Again { after_ms } => ("waiting", 1, now.saturating_add(after_ms.max(0))),
        AlertEnd::GivenUp => ("given_up", 1, now),
    };
    let changed = connection
        .query(
            "UPDATE alert SET state = $1, delivered_to = $2, n_failures = n_failures + $3, next_at = $4 WHERE id = $5",
        )
        .bind(state)
        .bind(names_json(delivered_to)?)
        .bind(n_failures)
        .bind(next_at)
        .bind(alert.0)
        .execute()
        .await?;
    if changed == 0 { Err(not_found("alert", alert.0)) } else { Ok(()) }
}
