//! `CALL submit_job(…)`, `CALL cancel_job(…)`, `CALL retry_job(…)`: procedures that change the queue of jobs.
//!
//! The engine reads the call and its constants; who owns the queue ([`Procedures`]) does what is asked,
//! under its own checks.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use causeway_model::{ConcurrencyGroup, JobId, JobState, ParameterError, Parameters};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::common::ScalarValue;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, SelectItem, SetExpr,
};
use futures::TryStreamExt;

use crate::access::Guard;
use crate::api::{Rows, StatementContext};
use crate::call::prepare;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::{normalize, parse_query};

/// What a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcedureCall {
    /// Queues a job.
    Submit(Submission),
    /// Stops a job.
    Cancel(JobId),
    /// Queues a dead or cancelled job again.
    Retry(JobId),
}

/// A job to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its work.
    pub work: Work,
    /// A name for one job only.
    pub key: Option<String>,
    /// Seconds of head start.
    pub priority: Option<i64>,
    /// What it shares its turn with.
    pub group: Option<ConcurrencyGroup>,
    /// Attempts that may fail.
    pub attempts: Option<i64>,
    /// The longest an attempt may take.
    pub timeout_seconds: Option<i64>,
    /// The most memory an attempt may take.
    pub memory_limit_bytes: Option<i64>,
    /// The values of the `:name`s in it.
    pub parameters: Parameters,
}

/// The work of a job to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// One statement and the folder that its relative paths start from.
    Statement(String, PathBuf),
    /// A pipeline's folder, which may be read.
    Pipeline(PathBuf),
}

/// Where a job is after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// The job.
    pub job: JobId,
    /// Where it is.
    pub state: JobState,
}

/// Does what calls ask for.
#[async_trait]
pub trait Procedures: Send + Sync {
    /// Does it with the rights of `user`; `None` is the embedded mode's admin. For a step of a run what an
    /// earlier attempt may have done already is no error.
    async fn call(&self, engine: &Engine, user: Option<&str>, call: ProcedureCall, is_step: bool) -> Result<Called>;
}

/// The procedures there are, as they are written.
const USAGES: [(&str, &str); 4] = [
    (
        "submit_job",
        "CALL submit_job('INSERT …' | pipeline => 'folder' [, priority => 0] [, key => 'name'] [, params => ARRAY['site=3']] \
         [, group => 'name'] [, group_limit => 1] [, attempts => 3] [, timeout_seconds => 3600] [, memory_limit_bytes => 67108864])",
    ),
    ("cancel_job", "CALL cancel_job(7)"),
    ("retry_job", "CALL retry_job(7)"),
    (
        SET_PRIVACY_BUDGET,
        "CALL set_privacy_budget('schema.table', epsilon => 4.0 [, delta => 1e-6] [, unit => 'patient_id'] [, rows_per_unit => 1] \
         [, adjacency => 'add_remove' | 'substitute'] [, roles => ARRAY['analyst=1.5']] [, allow_unsound => false] \
         [, cohort_size => 200] [, reason => 'request 7'])",
    ),
];

/// The procedure that sets what may be spent on the people in a table.
pub(crate) const SET_PRIVACY_BUDGET: &str = "set_privacy_budget";

/// The names of the options of procedures.
const OPTIONS: [&str; 18] = [
    "pipeline",
    "priority",
    "key",
    "params",
    "group",
    "group_limit",
    "attempts",
    "timeout_seconds",
    "memory_limit_bytes",
    "epsilon",
    "delta",
    "unit",
    "rows_per_unit",
    "adjacency",
    "roles",
    "allow_unsound",
    "cohort_size",
    "reason",
];

/// A call as written.
#[derive(Debug, Clone)]
pub(crate) struct CallStatement {
    name: &'static str,
    usage: &'static str,
    arguments: Vec<(Option<String>, Expr)>,
}

/// Reads a call.
pub(crate) fn call(function: Function) -> Result<CallStatement> {
    let name = function.name.0.last().and_then(|part| part.as_ident()).map(normalize).unwrap_or_default();
    let Some((name, usage)) = USAGES.into_iter().find(|(known, _)| function.name.0.len() == 1 && *known == name) else {
        let error = EngineError::new(ErrorKind::NotFound, format!("there is no procedure `{}`", function.name));
        return Err(match causeway_core::nearest(&name, USAGES.iter().map(|(known, _)| *known)) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error.with_hint("procedures are submit_job, cancel_job, retry_job and set_privacy_budget"),
        });
    };
    let mut statement = CallStatement { name, usage, arguments: Vec::new() };
    let list = match function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => list.args,
        _ => return Err(statement.misused()),
    };
    for argument in list {
        let (name, value) = match argument {
            FunctionArg::Unnamed(value) => (None, value),
            FunctionArg::Named { name, arg, .. } => (Some(normalize(&name)), arg),
            FunctionArg::ExprNamed { .. } => return Err(statement.misused()),
        };
        let FunctionArgExpr::Expr(value) = value else { return Err(statement.misused()) };
        statement.arguments.push((name, value));
    }
    Ok(statement)
}

impl CallStatement {
    pub(crate) fn misused(&self) -> EngineError {
        EngineError::new(ErrorKind::Plan, format!("{} is not called so", self.name)).with_hint(self.usage)
    }

    /// Returns the values of the call as expressions, for what looks for parameters in them.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Expr> {
        self.arguments.iter().map(|(_, value)| value)
    }

    /// Returns the call's arguments as a query of one row.
    fn query(&self) -> Result<Box<Query>> {
        let mut query = parse_query("SELECT 1")?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            let items = self.arguments.iter().enumerate().map(|(position, (_, value))| SelectItem::ExprWithAlias {
                expr: value.clone(),
                alias: Ident::new(format!("argument{position}")),
            });
            select.projection = items.collect();
        }
        Ok(query)
    }
}

/// The arguments of a call, computed.
pub(crate) struct Values<'a> {
    pub(crate) statement: &'a CallStatement,
    values: Vec<(Option<&'a str>, ScalarValue)>,
}

impl Values<'_> {
    fn take(&mut self, name: Option<&str>) -> Option<ScalarValue> {
        let position = self.values.iter().position(|(known, _)| *known == name)?;
        Some(self.values.remove(position).1).filter(|value| !value.is_null())
    }

    pub(crate) fn take_text(&mut self, name: Option<&str>) -> Result<Option<String>> {
        let value = self.take(name);
        value
            .map(|value| value.try_as_str().flatten().map(str::to_owned).ok_or_else(|| self.statement.misused()))
            .transpose()
    }

    pub(crate) fn take_integer(&mut self, name: Option<&str>) -> Result<Option<i64>> {
        let is_integer = |value: &ScalarValue| value.data_type().is_integer();
        let value = self.take(name);
        value
            .map(|value| match is_integer(&value).then(|| value.to_string().parse()) {
                Some(Ok(number)) => Ok(number),
                _ => Err(self.statement.misused()),
            })
            .transpose()
    }

    /// Takes `ARRAY['name=value', …]`.
    fn take_parameters(&mut self) -> Result<Parameters> {
        let given = self.take_texts("params")?;
        Parameters::parse(given.iter().map(String::as_str)).map_err(refused)
    }

    /// Takes `ARRAY['text', …]`; nothing is an empty one.
    pub(crate) fn take_texts(&mut self, name: &str) -> Result<Vec<String>> {
        let Some(value) = self.take(Some(name)) else { return Ok(Vec::new()) };
        let ScalarValue::List(list) = value else { return Err(self.statement.misused()) };
        let items = list.value(0);
        let mut given = Vec::with_capacity(items.len());
        for index in 0..items.len() {
            let item = ScalarValue::try_from_array(&items, index)?;
            given.push(item.try_as_str().flatten().map(str::to_owned).ok_or_else(|| self.statement.misused())?);
        }
        Ok(given)
    }

    /// Takes a number as it was written.
    pub(crate) fn take_number(&mut self, name: &str) -> Result<Option<f64>> {
        let value = self.take(Some(name));
        value
            .map(|value| match value.data_type().is_numeric().then(|| value.to_string().parse()) {
                Some(Ok(number)) => Ok(number),
                _ => Err(self.statement.misused()),
            })
            .transpose()
    }

    /// Takes true or false.
    pub(crate) fn take_flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(Some(name)) {
            None => Ok(None),
            Some(ScalarValue::Boolean(Some(value))) => Ok(Some(value)),
            Some(_) => Err(self.statement.misused()),
        }
    }

    fn take_group(&mut self) -> Result<Option<ConcurrencyGroup>> {
        match (self.take_text(Some("group"))?, self.take_integer(Some("group_limit"))?) {
            (None, Some(_)) => Err(self.statement.misused().with_hint("group_limit needs a group => 'name'")),
            (name, limit) => Ok(name.map(|name| ConcurrencyGroup { name, limit: limit.unwrap_or(1) })),
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        let Some((name, _)) = self.values.first() else { return Ok(()) };
        let error = self.statement.misused();
        match name.and_then(|name| causeway_core::nearest(name, OPTIONS)) {
            Some(nearest) => Err(error.with_hint(format!("did you mean `{nearest}`? {}", self.statement.usage))),
            None => Err(error),
        }
    }
}

fn refused(error: ParameterError) -> EngineError {
    EngineError::new(ErrorKind::Parameter, error.to_string())
}

impl Engine {
    /// Does what a call asks for, once.
    pub(crate) async fn call(&self, statement: &CallStatement, context: &StatementContext) -> Result<Rows> {
        let guard = self.guard(context).await?;
        if statement.name == SET_PRIVACY_BUDGET {
            let values = self.constants(statement, context, &guard).await?;
            return self.set_privacy_budget(values, &guard).await?.rows();
        }
        self.call_as(statement, context, &guard, None).await?.rows()
    }

    /// Does what a call asks for. A step of a run names itself: a job that it queues without a key has that
    /// name for one, so that another attempt finds it.
    pub(crate) async fn call_as(
        &self,
        statement: &CallStatement,
        context: &StatementContext,
        guard: &Guard,
        step: Option<&str>,
    ) -> Result<Called> {
        if statement.name == SET_PRIVACY_BUDGET {
            let problem =
                format!("{SET_PRIVACY_BUDGET} is no step of a pipeline or job: a budget is decided on by people");
            return Err(EngineError::new(ErrorKind::Unsupported, problem));
        }
        let Some(procedures) = self.procedures() else {
            return Err(EngineError::new(ErrorKind::Unsupported, "there is no queue of jobs here"));
        };
        let mut call = self.read_call(statement, context, guard).await?;
        if let (ProcedureCall::Submit(submission), Some(step)) = (&mut call, step) {
            submission.key.get_or_insert_with(|| step.to_owned());
        }
        procedures.call(self, context.user.as_deref(), call, step.is_some()).await
    }

    async fn read_call(
        &self,
        statement: &CallStatement,
        context: &StatementContext,
        guard: &Guard,
    ) -> Result<ProcedureCall> {
        let mut values = self.constants(statement, context, guard).await?;
        let call = match statement.name {
            "submit_job" => ProcedureCall::Submit(self.submission(&mut values, context, guard)?),
            name => {
                let id = values.take_integer(None)?.ok_or_else(|| statement.misused())?;
                if name == "cancel_job" { ProcedureCall::Cancel(JobId(id)) } else { ProcedureCall::Retry(JobId(id)) }
            }
        };
        values.finish()?;
        Ok(call)
    }

    fn submission(&self, values: &mut Values<'_>, context: &StatementContext, guard: &Guard) -> Result<Submission> {
        let base_dir = self.base_dir(context);
        let work = match (values.take_text(None)?, values.take_text(Some("pipeline"))?) {
            (Some(sql), None) => Work::Statement(sql, base_dir.to_owned()),
            (None, Some(folder)) => {
                guard.require_files()?;
                let manifest = self.readable(&format!("{folder}/pipeline.toml"), base_dir)?;
                Work::Pipeline(manifest.parent().map(PathBuf::from).unwrap_or_default())
            }
            _ => return Err(values.statement.misused()),
        };
        Ok(Submission {
            work,
            key: values.take_text(Some("key"))?,
            priority: values.take_integer(Some("priority"))?,
            group: values.take_group()?,
            attempts: values.take_integer(Some("attempts"))?,
            timeout_seconds: values.take_integer(Some("timeout_seconds"))?,
            memory_limit_bytes: values.take_integer(Some("memory_limit_bytes"))?,
            parameters: values.take_parameters()?,
        })
    }

    /// Computes the arguments of a call, which read no table.
    pub(crate) async fn constants<'a>(
        &self,
        statement: &'a CallStatement,
        context: &StatementContext,
        guard: &Guard,
    ) -> Result<Values<'a>> {
        let mut query = statement.query()?;
        let references = prepare(&mut query, Some(&context.parameters))?;
        if !references.is_empty() {
            return Err(EngineError::new(
                ErrorKind::Plan,
                format!("the arguments of {} are constants", statement.name),
            )
            .with_hint(statement.usage));
        }
        if statement.arguments.is_empty() {
            return Err(statement.misused());
        }
        let (state, _running) = self.session(context, guard, None)?;
        let resolved = Arc::new(self.lookup(context, &state, guard).resolve(&references).await?);
        let planned = self.plan(&state, &resolved, query, Box::new(Ok), false).await?;
        let stream = execute_stream(planned.physical, Arc::new(TaskContext::from(state.as_ref())))?;
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        let row = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(|| statement.misused())?;
        let named = statement.arguments.iter().zip(row.columns());
        let values = named.map(|((name, _), column)| Ok((name.as_deref(), ScalarValue::try_from_array(column, 0)?)));
        Ok(Values { statement, values: values.collect::<Result<_>>()? })
    }
}

impl Called {
    /// Returns it as a row: job, state.
    pub(crate) fn rows(self) -> Result<Rows> {
        let job: ArrayRef = Arc::new(Int64Array::from(vec![self.job.0]));
        let state: ArrayRef = Arc::new(StringArray::from(vec![self.state.name()]));
        let batch = RecordBatch::try_from_iter([("job", job), ("state", state)])
            .map_err(|_| EngineError::new(ErrorKind::Internal, "a job cannot be shown"))?;
        Ok(Rows::of(batch))
    }
}
