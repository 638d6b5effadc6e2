//! What people do with jobs: submit, look, cancel, run again; each within their rights.

use std::path::PathBuf;

use causeway_engine::{Engine, StatementKind, check_parameters};
use causeway_model::{
    Attempt, CatalogError, Job, JobId, JobKind, JobPage, JobState, LogLine, NewJob, Parameters, Rights, RunId,
    Submitted, WorkerRecord,
};
use chrono::Utc;
use uuid::Uuid;

use crate::error::{JobsError, Result};
use crate::pipeline::Pipeline;
use crate::terms::{ATTEMPTS, Terms, milliseconds, own_group};

/// The role that sees and stops the jobs of others.
const OPERATOR: &str = "operator";

/// Lines read at once.
const MOST_LINES: i64 = 10_000;

/// The work of a job.
#[derive(Debug, Clone)]
pub enum Work {
    /// One statement that changes something.
    Statement {
        /// The statement.
        sql: String,
        /// The folder that its relative paths start from.
        base_dir: PathBuf,
    },
    /// A folder of SQL.
    Pipeline(PathBuf),
}

/// A job that somebody wants done.
#[derive(Debug, Clone)]
pub struct JobRequest {
    /// The work.
    pub work: Work,
    /// The values of the `:name`s in it; a pipeline with a schedule has defaults for those of the slot.
    pub parameters: Parameters,
    /// A name for one job only: submitting again under it returns that job.
    pub key: Option<String>,
    /// How it runs. What is not said here is as the pipeline's manifest says; a pipeline without a group runs
    /// once at a time.
    pub terms: Terms,
}

/// The queue as one user sees it.
#[derive(Clone)]
pub struct Jobs {
    engine: Engine,
    user: Option<String>,
}

impl Jobs {
    /// Makes the view of `user`; `None` for the embedded mode's admin.
    pub fn new(engine: Engine, user: Option<String>) -> Self {
        Self { engine, user }
    }

    /// Queues a job that will run with the rights of this user. What can be seen to be wrong already is
    /// refused.
    ///
    /// # Errors
    /// [`JobsError::NotAJob`] for what is no single change; what is wrong with a pipeline; a parameter that
    /// has no value or is not used; errors of the catalog.
    pub async fn submit(&self, request: JobRequest) -> Result<Submitted> {
        let rights = self.rights().await?;
        let mut parameters = request.parameters;
        let (kind, work, base_dir, terms) = match request.work {
            Work::Statement { sql, base_dir } => {
                (JobKind::Statement, self.statement(&sql, &parameters)?, base_dir, Terms::default())
            }
            Work::Pipeline(folder) => {
                let pipeline = Pipeline::load(&folder, &self.engine)?;
                parameters = pipeline.complete(&parameters, Utc::now())?;
                let folder = folder.canonicalize().map_err(|error| JobsError::io(&folder, error))?;
                let mut terms = pipeline.terms().clone();
                terms.group.get_or_insert_with(|| own_group(pipeline.name()));
                (JobKind::Pipeline, folder.display().to_string(), folder, terms)
            }
        };
        let terms = request.terms.or(terms);
        let job = NewJob {
            kind,
            work,
            base_dir: base_dir.display().to_string(),
            parameters,
            run: RunId(Uuid::now_v7().to_string()),
            actor: rights.user,
            dedupe_key: request.key,
            priority: terms.priority.unwrap_or(0),
            group: terms.group,
            max_attempts: terms.attempts.unwrap_or(ATTEMPTS),
            timeout_ms: terms.timeout.map(milliseconds),
            memory_limit_bytes: terms.memory_limit_bytes,
        };
        Ok(self.engine.catalog().submit_job(&job).await?)
    }

    /// Returns a statement without its semicolon, if it is a single change and its parameters have values.
    fn statement(&self, sql: &str, parameters: &Parameters) -> Result<String> {
        let mut statements = self.engine.analyse(sql)?;
        match (statements.pop(), statements.len()) {
            (None, _) => Err(JobsError::NotAJob("there is no statement")),
            (_, 1..) => Err(JobsError::NotAJob("there are several statements; make them the steps of a pipeline")),
            (Some(info), _) if matches!(info.kind, StatementKind::Query | StatementKind::Explain) => {
                Err(JobsError::NotAJob("a query changes nothing; store its result: CREATE OR REPLACE TABLE … AS …"))
            }
            (Some(info), _) => {
                check_parameters(&info.parameters, parameters)?;
                Ok(info.sql)
            }
        }
    }

    /// Returns a job.
    ///
    /// # Errors
    /// If there is none, or it is another user's and may not be seen.
    pub async fn job(&self, id: JobId) -> Result<Job> {
        let rights = self.rights().await?;
        let job = self.engine.catalog().job(id).await?;
        if sees(&rights, &job) { Ok(job) } else { Err(hidden(id)) }
    }

    /// Finds a job by its number, or by the id of its run or how that begins.
    ///
    /// # Errors
    /// If there is none, more than one, or it may not be seen.
    pub async fn find(&self, name: &str) -> Result<Job> {
        if let Ok(number) = name.parse() {
            return self.job(JobId(number)).await;
        }
        let found = self.engine.catalog().job_of_run(name).await?;
        let unknown = || CatalogError::NotFound { what: "job of the run", name: name.to_owned() };
        match self.job(found.ok_or_else(unknown)?).await {
            Err(JobsError::Catalog(CatalogError::NotFound { .. })) => Err(unknown().into()),
            job => job,
        }
    }

    /// Lists the attempts of a job.
    ///
    /// # Errors
    /// If there is no such job, or it may not be seen.
    pub async fn attempts(&self, id: JobId) -> Result<Vec<Attempt>> {
        self.job(id).await?;
        Ok(self.engine.catalog().attempts(Some(id)).await?)
    }

    /// Lists what was told of a job's attempts after the line `after`.
    ///
    /// # Errors
    /// If there is no such job, or it may not be seen.
    pub async fn log(&self, id: JobId, after: i64) -> Result<Vec<LogLine>> {
        self.job(id).await?;
        Ok(self.engine.catalog().log_lines(id, after, MOST_LINES).await?)
    }

    /// Lists the workers, newest first.
    ///
    /// # Errors
    /// [`JobsError::Denied`] for anybody but an admin, operator or auditor.
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        let rights = self.rights().await?;
        if manages_all(&rights) || rights.sees_record() {
            return Ok(self.engine.catalog().workers().await?);
        }
        Err(JobsError::Denied("the list of workers needs the role operator or auditor".to_owned()))
    }

    /// Lists the jobs that this user may see, newest first.
    ///
    /// # Errors
    /// Errors of the catalog.
    pub async fn list(&self, state: Option<JobState>, limit: usize) -> Result<Vec<Job>> {
        let rights = self.rights().await?;
        let sees_all = manages_all(&rights) || rights.sees_record();
        let page = JobPage {
            state,
            actor: (!sees_all).then(|| rights.user.clone()),
            ..JobPage::newest(i64::try_from(limit).unwrap_or(i64::MAX))
        };
        Ok(self.engine.catalog().jobs(&page).await?)
    }

    /// Stops a job, at once if it waits, else by telling its worker.
    ///
    /// # Errors
    /// If it has ended, or is another user's.
    pub async fn cancel(&self, id: JobId) -> Result<JobState> {
        let rights = self.manage(id).await?;
        Ok(self.engine.catalog().cancel_job(id, &rights.user).await?)
    }

    /// Queues a dead or cancelled job again. It runs with the rights of who submitted it.
    ///
    /// # Errors
    /// If it is neither, or another user's.
    pub async fn retry(&self, id: JobId) -> Result<Job> {
        let rights = self.manage(id).await?;
        Ok(self.engine.catalog().retry_job(id, &rights.user).await?)
    }

    /// Checks that this user may run the jobs of all.
    ///
    /// # Errors
    /// [`JobsError::Denied`] for anybody but an admin or operator.
    pub async fn may_work(&self) -> Result<()> {
        if manages_all(&self.rights().await?) {
            return Ok(());
        }
        Err(JobsError::Denied("a worker runs the jobs of all users; that needs the role operator".to_owned()))
    }

    async fn manage(&self, id: JobId) -> Result<Rights> {
        let rights = self.rights().await?;
        let job = self.engine.catalog().job(id).await?;
        if manages_all(&rights) || job.spec.actor == rights.user {
            return Ok(rights);
        }
        if !sees(&rights, &job) {
            return Err(hidden(id));
        }
        Err(JobsError::Denied(format!("job {} is another user's; that needs the role operator", id.0)))
    }

    async fn rights(&self) -> Result<Rights> {
        Ok(self.engine.rights(self.user.as_deref()).await?)
    }
}

/// Returns true for those who manage what belongs to others.
pub(crate) fn manages_all(rights: &Rights) -> bool {
    rights.is_admin() || rights.has_role(OPERATOR)
}

fn sees(rights: &Rights, job: &Job) -> bool {
    manages_all(rights) || rights.sees_record() || job.spec.actor == rights.user
}

/// Says of a job that may not be seen what is said of one that is not there.
fn hidden(id: JobId) -> JobsError {
    CatalogError::NotFound { what: "job", name: id.0.to_string() }.into()
}
