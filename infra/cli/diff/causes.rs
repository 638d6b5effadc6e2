//! What differs between two makings, and which differences can explain a changed result.

use std::collections::{BTreeMap, BTreeSet};

use causeway_model::{DatasetKind, OperatorUse, StepState, VersionId};
use serde::Serialize;
use similar::TextDiff;

use super::side::{Entry, Label, Side};
use crate::record::Record;

/// Lines of a statement shown around a change.
const CONTEXT: usize = 3;

/// Two makings, compared.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) before: Label,
    pub(super) after: Label,
    /// True if nothing that a result depends on differs.
    pub(super) same: bool,
    /// Differences that concern every step.
    pub(super) overall: Vec<Difference>,
    pub(super) steps: Vec<StepComparison>,
}

/// One step of both sides, or of one.
#[derive(Debug, Serialize)]
pub(super) struct StepComparison {
    pub(super) step: String,
    pub(super) verdict: Verdict,
    /// What can change its result by itself.
    pub(super) causes: Vec<Difference>,
    /// The steps of these runs that it differs through.
    pub(super) through: Vec<String>,
    /// The change of its text as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sql: Option<String>,
    /// What came out: rows, versions, state.
    pub(super) results: Vec<Difference>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The same making.
    Same,
    /// Done again with nothing changed that a result depends on.
    Again,
    /// Something of its own differs.
    Cause,
    /// It differs only through steps before it.
    Follows,
    /// One side did not get to it, or failed in it.
    Undone,
    /// Only the first side has it.
    Removed,
    /// Only the second side has it.
    Added,
}

/// Something that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
}

impl Difference {
    fn of(what: impl Into<String>, before: impl ToString, after: impl ToString) -> Option<Self> {
        let (before, after) = (before.to_string(), after.to_string());
        (before != after).then(|| Self { what: what.into(), before, after })
    }
}

/// Compares two sides.
pub(super) fn compare(record: &Record, before: &Side<'_>, after: &Side<'_>) -> Comparison {
    let mut comparing = Comparing { record, before, after, done: BTreeMap::new() };
    let removed = before.order.iter().filter(|key| !after.steps.contains_key(*key));
    let keys: Vec<&String> = removed.chain(&after.order).collect();
    for key in &keys {
        comparing.verdict(key, &mut BTreeSet::new());
    }
    let steps: Vec<StepComparison> = keys.into_iter().filter_map(|key| comparing.done.remove(key)).collect();
    let overall = overall(&before.label, &after.label);
    let same = overall.is_empty() && steps.iter().all(|step| matches!(step.verdict, Verdict::Same | Verdict::Again));
    Comparison { before: copy(&before.label), after: copy(&after.label), same, overall, steps }
}

fn copy(label: &Label) -> Label {
    Label {
        version: label.version.clone(),
        run: label.run.clone(),
        pipeline: label.pipeline.clone(),
        pipeline_digest: label.pipeline_digest.clone(),
        state: label.state,
        engine_version: label.engine_version.clone(),
        user: label.user.clone(),
        started_at: label.started_at.clone(),
    }
}

/// What concerns every step: another binary computes in its own way, another user may see other rows.
fn overall(before: &Label, after: &Label) -> Vec<Difference> {
    let pair = |what: &str, of: &dyn Fn(&Label) -> Option<String>| {
        Difference::of(what, of(before).unwrap_or_default(), of(after).unwrap_or_default())
    };
    let found = [pair("engine", &|label| label.engine_version.clone()), pair("user", &|label| label.user.clone())];
    found.into_iter().flatten().collect()
}

struct Comparing<'a> {
    record: &'a Record,
    before: &'a Side<'a>,
    after: &'a Side<'a>,
    done: BTreeMap<String, StepComparison>,
}

impl Comparing<'_> {
    /// Compares a step, those before it first. `path` guards against a record that goes in circles.
    fn verdict(&mut self, key: &str, path: &mut BTreeSet<String>) -> Verdict {
        if let Some(done) = self.done.get(key) {
            return done.verdict;
        }
        if !path.insert(key.to_owned()) {
            return Verdict::Same;
        }
        let (before, after) = (self.before, self.after);
        let step = match (before.steps.get(key), after.steps.get(key)) {
            (Some(one), Some(other)) if is_undone(one) || is_undone(other) => self.undone(key, one, other),
            (Some(one), Some(other)) => self.pair(key, one, other, path),
            (Some(_), None) if is_check_of_undone(after, key) => StepComparison::alone(key, Verdict::Undone),
            (Some(_), None) => StepComparison::alone(key, Verdict::Removed),
            (None, _) if is_check_of_undone(before, key) => StepComparison::alone(key, Verdict::Undone),
            (None, _) => StepComparison::alone(key, Verdict::Added),
        };
        let verdict = step.verdict;
        self.done.insert(key.to_owned(), step);
        verdict
    }

    /// Compares a step that one side did not end: of it only the text is known.
    fn undone(&self, key: &str, before: &Entry<'_>, after: &Entry<'_>) -> StepComparison {
        let causes: Vec<Difference> = text(before, after).into_iter().collect();
        let verdict = if causes.is_empty() { Verdict::Undone } else { Verdict::Cause };
        let sql = (!causes.is_empty()).then(|| unified(&before.made.sql, &after.made.sql));
        let results = Difference::of("state", state(before), state(after)).into_iter().collect();
        StepComparison { step: key.to_owned(), verdict, causes, through: Vec::new(), sql, results }
    }

    fn pair(
        &mut self,
        key: &str,
        before: &Entry<'_>,
        after: &Entry<'_>,
        path: &mut BTreeSet<String>,
    ) -> StepComparison {
        let mut causes = own_causes(before, after);
        let mut through = Vec::new();
        let mut again = false;
        for (name, one, other) in self.changed_inputs(before, after) {
            let makers =
                (one.last().and_then(|id| self.before.maker(*id)), other.last().and_then(|id| self.after.maker(*id)));
            match makers {
                (Some(maker), Some(same)) if maker == same && maker != key => {
                    let maker = maker.to_owned();
                    match self.verdict(&maker, path) {
                        Verdict::Same | Verdict::Again => again = true,
                        _ => through.push(maker),
                    }
                }
                _ => causes.extend(self.changed_input(&name, &one, &other)),
            }
        }
        if causes.is_empty() && through.is_empty() && before.made.id != after.made.id {
            causes.extend(unseen_cause(before, after, again));
        }
        let verdict = match (causes.is_empty(), through.is_empty()) {
            (false, _) => Verdict::Cause,
            (true, false) => Verdict::Follows,
            (true, true) if before.made.id == after.made.id => Verdict::Same,
            (true, true) => Verdict::Again,
        };
        let sql = (before.made.sql != after.made.sql).then(|| unified(&before.made.sql, &after.made.sql));
        let results = self.results(before, after);
        StepComparison { step: key.to_owned(), verdict, causes, through, sql, results }
    }

    /// Lists the inputs, and the versions added to, that differ, by name.
    fn changed_inputs(&self, before: &Entry<'_>, after: &Entry<'_>) -> Vec<(String, Vec<VersionId>, Vec<VersionId>)> {
        let mut names: BTreeMap<String, (Vec<VersionId>, Vec<VersionId>)> = BTreeMap::new();
        for (entry, is_after) in [(before, false), (after, true)] {
            let read = entry.made.inputs.iter().map(|id| (*id, "input"));
            let kept = self.record.kept(entry.made).iter().map(|id| (*id, "rows kept of"));
            for (id, how) in read.chain(kept) {
                let name = self.record.version(id).map_or_else(String::new, |(dataset, _)| dataset.name.to_string());
                let versions = names.entry(format!("{how} {name}")).or_default();
                (if is_after { &mut versions.1 } else { &mut versions.0 }).push(id);
            }
        }
        names
            .into_iter()
            .filter(|(_, (one, other))| one != other)
            .map(|(name, (one, other))| (name, one, other))
            .collect()
    }

    fn changed_input(&self, name: &str, before: &[VersionId], after: &[VersionId]) -> Option<Difference> {
        let describe = |ids: &[VersionId]| match ids {
            [] => "none".to_owned(),
            ids => ids.iter().map(|id| self.described(*id)).collect::<Vec<_>>().join(", "),
        };
        Difference::of(name, describe(before), describe(after))
    }

    /// Says which version; of a file its content, of a table who made it.
    fn described(&self, id: VersionId) -> String {
        let Some((dataset, version)) = self.record.version(id) else { return "unknown".to_owned() };
        let digest = version.digest.as_ref().and_then(|digest| digest.get(..12));
        match (dataset.kind, digest) {
            (DatasetKind::File, Some(digest)) => {
                let columns = version.columns.len();
                format!("sha256 {digest}…, {columns} columns (@{})", version.version)
            }
            (DatasetKind::View, Some(digest)) => format!("@{} (text sha256 {digest}…)", version.version),
            _ => match self.record.maker(id) {
                Some(step) => format!("@{} (step {} of run {})", version.version, step.name, step.run),
                None => format!("@{}", version.version),
            },
        }
    }

    fn results(&self, before: &Entry<'_>, after: &Entry<'_>) -> Vec<Difference> {
        let count = |rows: Option<i64>| rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
        let versions = |entry: &Entry<'_>| {
            let names: Vec<String> = entry.made.outputs.iter().map(|id| self.with_rows(*id)).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(", ") }
        };
        let found = [
            Difference::of("state", state(before), state(after)),
            Difference::of("rows read", count(before.made.rows_in), count(after.made.rows_in)),
            Difference::of("rows written", count(before.made.rows_out), count(after.made.rows_out)),
            Difference::of("rows quarantined", count(before.made.rows_quarantined), count(after.made.rows_quarantined)),
            Difference::of("made", versions(before), versions(after)),
        ];
        found.into_iter().flatten().collect()
    }

    fn with_rows(&self, id: VersionId) -> String {
        let rows = self.record.version(id).and_then(|(_, version)| version.n_rows);
        rows.map_or_else(|| self.record.name(id), |rows| format!("{} ({rows} rows)", self.record.name(id)))
    }
}

/// A step that was up to date is as done as one that succeeded.
fn state(entry: &Entry<'_>) -> String {
    let state = match entry.step.state {
        StepState::UpToDate => StepState::Succeeded,
        state => state,
    };
    entry.step.error_code.as_ref().map_or_else(|| state.name().to_owned(), |code| format!("{} {code}", state.name()))
}

impl StepComparison {
    fn alone(key: &str, verdict: Verdict) -> Self {
        Self { step: key.to_owned(), verdict, causes: Vec::new(), through: Vec::new(), sql: None, results: Vec::new() }
    }
}

/// What of the step itself differs.
fn own_causes(before: &Entry<'_>, after: &Entry<'_>) -> Vec<Difference> {
    let mut causes: Vec<Difference> = text(before, after).into_iter().collect();
    causes.extend(Difference::of("statement", &before.made.kind, &after.made.kind));
    causes.extend(parameters(before, after));
    if !before.operators.is_empty() || !after.operators.is_empty() {
        causes.extend(Difference::of("seed", before.made.seed, after.made.seed));
    }
    causes.extend(operators(&before.operators, &after.operators));
    causes.extend(Difference::of("engine", &before.run.engine_version, &after.run.engine_version));
    causes.extend(Difference::of("user", &before.run.actor, &after.run.actor));
    causes
}

/// Compares the values of the parameters that a step uses.
fn parameters(before: &Entry<'_>, after: &Entry<'_>) -> Vec<Difference> {
    let used = |entry: &Entry<'_>| causeway_engine::parameters_of(&entry.made.sql);
    let value = |entry: &Entry<'_>, name: &str| {
        let value = entry.made_in.parameters.get(name);
        value.map_or_else(|| "none".to_owned(), |value| format!("{} {value}", value.parameter_type()))
    };
    let names: BTreeSet<String> = used(before).into_iter().chain(used(after)).collect();
    let compared =
        names.iter().map(|name| Difference::of(format!("parameter :{name}"), value(before, name), value(after, name)));
    compared.flatten().collect()
}

fn text(before: &Entry<'_>, after: &Entry<'_>) -> Option<Difference> {
    let lines = |sql: &str| format!("{} lines", sql.lines().count());
    let (one, other) = (&before.made.sql, &after.made.sql);
    (one != other).then(|| Difference { what: "SQL".to_owned(), before: lines(one), after: lines(other) })
}

/// Returns true for a step that has no result. A check that did not hold has one.
fn is_undone(entry: &Entry<'_>) -> bool {
    let failed = entry.step.state == StepState::Failed && entry.step.kind != "check";
    failed || matches!(entry.step.state, StepState::Blocked | StepState::Running)
}

/// Returns true for a check whose step this side did not end, so that it was not asked.
fn is_check_of_undone(side: &Side<'_>, key: &str) -> bool {
    let step = key.split_once(" check ").and_then(|(step, _)| side.steps.get(step));
    step.is_some_and(is_undone)
}

/// Compares the operators that ran, in their order.
fn operators(before: &[OperatorUse], after: &[OperatorUse]) -> Vec<Difference> {
    let names = |operators: &[OperatorUse]| {
        let names: Vec<&str> = operators.iter().map(|operator| operator.operator.as_str()).collect();
        names.join(", ")
    };
    if let Some(difference) = Difference::of("operators", names(before), names(after)) {
        return vec![difference];
    }
    let pairs = before.iter().zip(after).flat_map(|(one, other)| {
        let name = &one.operator;
        let mut found: Vec<Difference> =
            Difference::of(format!("version of {name}"), one.version, other.version).into_iter().collect();
        let options = one.options.as_object().into_iter().chain(other.options.as_object()).flatten();
        let keys: BTreeSet<&String> = options.map(|(key, _)| key).collect();
        found.extend(keys.into_iter().filter_map(|key| {
            let value =
                |operator: &OperatorUse| operator.options.get(key).map_or_else(String::new, ToString::to_string);
            Difference::of(format!("option {key} of {name}"), value(one), value(other))
        }));
        found
    });
    pairs.collect()
}

/// Finds what the record does not hold itself, but shows: the fingerprint covers a load's contract and
/// how rights narrowed the inputs; and a text may ask the clock.
fn unseen_cause(before: &Entry<'_>, after: &Entry<'_>, is_remade: bool) -> Vec<Difference> {
    let varying = causeway_engine::varying(&after.made.sql);
    if !varying.is_empty() {
        let what = varying.join(", ");
        return vec![Difference {
            what,
            before: "another value each time".to_owned(),
            after: "another value each time".to_owned(),
        }];
    }
    if is_remade || before.made.fingerprint == after.made.fingerprint || before.made.kind == "check" {
        return Vec::new();
    }
    let what = if after.made.kind == "copy_into" { "contract" } else { "rights or operators" };
    let short = |entry: &Entry<'_>| format!("fingerprint {}…", entry.made.fingerprint.get(..12).unwrap_or_default());
    Difference::of(what, short(before), short(after)).into_iter().collect()
}

fn unified(before: &str, after: &str) -> String {
    // A last line without an end would be told to have none; no statement has one.
    let (before, after) = (format!("{before}\n"), format!("{after}\n"));
    TextDiff::from_lines(&before, &after).unified_diff().context_radius(CONTEXT).to_string()
}
