//! What is told of attempts.

use causeway_model::{JobId, KEPT_LOG_LINES, LogLevel, LogLine, NewLogLine};

use crate::connection::{Connection, Row};
use crate::error::Result;
use crate::jobs::{instant, now};
use crate::rows::word;

/// The longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 1_000;

pub(crate) async fn add(connection: &mut Connection, lines: &[NewLogLine]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let now = now(connection).await?;
    let into = "INSERT INTO attempt_log (job_id, attempt, at, level, step, message)";
    connection
        .insert(into, 6, lines, |row, line| {
            row.bind(line.job.0)
                .bind(line.attempt)
                .bind(now - line.age_ms.max(0))
                .bind(line.level.name())
                .bind(line.step.clone())
                .bind(line.message.chars().take(LONGEST_MESSAGE).collect::<String>())
        })
        .await?;
    connection
        .query("DELETE FROM attempt_log WHERE id <= (SELECT MAX(id) FROM attempt_log) - $1")
        .bind(KEPT_LOG_LINES)
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn list(connection: &mut Connection, job: JobId, after: i64, limit: i64) -> Result<Vec<LogLine>> {
    let rows = connection
        .query("SELECT * FROM attempt_log WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3")
        .bind(job.0)
        .bind(after)
        .bind(limit.max(0))
        .fetch_all()
        .await?;
    rows.iter().map(line).collect()
}

fn line(row: &Row) -> Result<LogLine> {
    Ok(LogLine {
        id: row.get("id")?,
        attempt: row.get("attempt")?,
        at: instant(row.get("at")?)?,
        level: word(row.get("level")?, &LogLevel::ALL, LogLevel::name)?,
        step: row.get("step")?,
        message: row.get("message")?,
    })
}

/// The ids of runs are text in one order, so those that begin alike stand together in their index.
pub(crate) async fn job_of_run(connection: &mut Connection, run: &str) -> Result<Option<JobId>> {
    let found: Vec<i64> = connection
        .query("SELECT id FROM job WHERE run >= $1 AND run < $2 ORDER BY run LIMIT 2")
        .bind(run)
        .bind(format!("{run}~"))
        .fetch_scalars()
        .await?;
    Ok(match found.as_slice() {
        [only] => Some(JobId(*only)),
        _ => None,
    })
}
