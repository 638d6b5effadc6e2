//! `pipeline.toml`: what a pipeline says about itself.

use std::ops::Range;
use std::path::Path;

use causeway_core::nearest;
use causeway_model::{AlertTransition, Fold, Gap, Missed, Parameters, Trigger};
use serde::Deserialize;
use toml::Spanned;

use crate::defaults::{DefaultsDocument, read_defaults};
use crate::error::{JobsError, Result, place};
use crate::schedule::Schedule;
use crate::terms::{Terms, TermsDocument, TriggerDocument};

/// The most times a step may be tried again.
const MAX_RETRIES: u32 = 10;

/// The longest name of a pipeline or step.
const MAX_NAME: usize = 64;

/// All words a manifest may hold, for suggestions.
const WORDS: [&str; 37] = [
    "alert",
    "on",
    "to",
    "failed",
    "recovered",
    "late",
    "name",
    "description",
    "retries",
    "memory_limit_bytes",
    "include",
    "parameters",
    "schedule",
    "cron",
    "zone",
    "gap",
    "fold",
    "run_after",
    "skip",
    "first",
    "both",
    "missed",
    "none",
    "latest",
    "all",
    "trigger",
    "table",
    "path",
    "pipeline",
    "job",
    "attempts",
    "timeout_seconds",
    "priority",
    "group",
    "group_limit",
    "start_within_seconds",
    "end_within_seconds",
];

/// The contents of `pipeline.toml`, checked.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) description: String,
    /// How often a step is tried again after an error that may pass; 0 unless said.
    pub(crate) retries: u32,
    /// Folders of other pipelines whose steps belong to this one, relative to its own.
    pub(crate) include: Vec<String>,
    /// The values of parameters that nobody gives.
    pub(crate) defaults: Parameters,
    pub(crate) schedule: Option<Schedule>,
    /// Who is told when it fails, recovers or is late.
    pub(crate) alerts: Vec<AlertRule>,
    /// What becomes of firings by the schedule that nobody was there for.
    pub(crate) missed: Missed,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) terms: Terms,
}

/// Who is told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// What they are told of.
    pub on: Vec<AlertTransition>,
    /// The names of receivers, as the configuration of the lake defines them.
    pub to: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    retries: Option<Spanned<u32>>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    parameters: DefaultsDocument,
    schedule: Option<Spanned<ScheduleDocument>>,
    #[serde(default)]
    alert: Vec<AlertDocument>,
    #[serde(default)]
    trigger: Vec<Spanned<TriggerDocument>>,
    job: Option<TermsDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertDocument {
    #[serde(default = "every_transition")]
    on: Vec<TransitionWord>,
    to: Spanned<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TransitionWord {
    Failed,
    Recovered,
    Late,
}

impl From<TransitionWord> for AlertTransition {
    fn from(word: TransitionWord) -> Self {
        match word {
            TransitionWord::Failed => Self::Failed,
            TransitionWord::Recovered => Self::Recovered,
            TransitionWord::Late => Self::Late,
        }
    }
}

fn every_transition() -> Vec<TransitionWord> {
    vec![TransitionWord::Failed, TransitionWord::Recovered, TransitionWord::Late]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleDocument {
    cron: Spanned<String>,
    #[serde(default = "utc")]
    zone: String,
    #[serde(default)]
    gap: Gap,
    #[serde(default)]
    fold: Fold,
    #[serde(default)]
    missed: Missed,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Manifest {
    /// Reads and checks the text of the file `origin`.
    pub(crate) fn parse(text: &str, origin: &Path) -> Result<Self> {
        let fault = |span: Option<Range<usize>>, problem: String| JobsError::Manifest {
            place: place(origin, span.map_or(1, |span| line_of(text, span.start))),
            problem,
        };
        let document: Document = toml::from_str(text)
            .map_err(|error| fault(error.span(), with_suggestion(error.message(), text, error.span())))?;
        check_name(document.name.get_ref())
            .map_err(|problem| fault(Some(document.name.span()), format!("name {problem}")))?;
        if let Some(retries) = document.retries.as_ref().filter(|retries| *retries.get_ref() > MAX_RETRIES) {
            let problem = format!("retries must be 0 to {MAX_RETRIES}, got {}", retries.get_ref());
            return Err(fault(Some(retries.span()), problem));
        }
        if let Some(nobody) = document.alert.iter().find(|alert| alert.to.get_ref().is_empty()) {
            return Err(fault(Some(nobody.to.span()), "an alert names at least one receiver".to_owned()));
        }
        let rule = |alert: AlertDocument| AlertRule {
            on: alert.on.into_iter().map(AlertTransition::from).collect(),
            to: alert.to.into_inner(),
        };
        let alerts = document.alert.into_iter().map(rule).collect();
        let missed = document.schedule.as_ref().map(|section| section.get_ref().missed).unwrap_or_default();
        let triggers = document.trigger.iter().map(|section| {
            let read = section.get_ref().check();
            read.map_err(|problem| fault(Some(section.span()), format!("trigger: {problem}")))
        });
        let triggers = triggers.collect::<Result<Vec<_>>>()?;
        let defaults = read_defaults(document.parameters).map_err(|(span, problem)| fault(span, problem))?;
        let terms = document.job.map(TermsDocument::check).transpose();
        let terms = terms.map_err(|(span, problem)| fault(span, problem))?;
        let schedule = document.schedule.map(|section| {
            let rule = section.get_ref();
            Schedule::parse(rule.cron.get_ref(), &rule.zone, rule.gap, rule.fold)
                .map_err(|error| fault(Some(rule.cron.span()), error.to_string()))
        });
        Ok(Self {
            name: document.name.into_inner(),
            description: document.description,
            retries: document.retries.map_or(0, Spanned::into_inner),
            include: document.include,
            defaults,
            schedule: schedule.transpose()?,
            alerts,
            missed,
            triggers,
            terms: terms.unwrap_or_default(),
        })
    }
}

/// Checks a number of retries given as text.
pub(crate) fn parse_retries(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(retries) if retries <= MAX_RETRIES => Ok(retries),
        _ => Err(format!("retries must be a whole number from 0 to {MAX_RETRIES}, got `{text}`")),
    }
}

/// Checks the name of a pipeline or step: it names files and rows, so it is kept plain.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character);
    let good = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain) && !name.starts_with('-');
    if good {
        return Ok(());
    }
    Err(format!("`{name}` must be 1 to {MAX_NAME} of the characters a-z, 0-9, `_` and `-`, and not begin with `-`"))
}

/// Adds the nearest word we know if the text at fault is close to one.
fn with_suggestion(message: &str, text: &str, span: Option<Range<usize>>) -> String {
    let message = message.trim_end();
    let wrong = span.and_then(|span| text.get(span)).unwrap_or_default().trim_matches(['"', '\'']);
    match nearest(wrong, WORDS) {
        Some(word) if word != wrong => format!("{message}; did you mean `{word}`?"),
        _ => message.to_owned(),
    }
}

/// Returns the line, from 1, that a byte stands in.
fn line_of(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(1, |before| before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest> {
        Manifest::parse(text, Path::new("p/pipeline.toml"))
    }

    fn refusal(text: &str) -> String {
        let error = parse(text).unwrap_err();
        assert_eq!(error.code(), "CW0601");
        error.to_string()
    }

    #[test]
    fn a_name_is_enough() {
        let manifest = parse("name = \"clinical\"").unwrap();
        assert_eq!((manifest.name.as_str(), manifest.retries), ("clinical", 0));
        assert!(manifest.schedule.is_none() && manifest.include.is_empty());
    }

    #[test]
    fn all_that_can_be_said() {
        let manifest = parse(
            "name = \"nightly\"\ndescription = \"all\"\nretries = 2\ninclude = [\"../clinical\"]\n\
             [schedule]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\ngap = \"skip\"\nfold = \"both\"\n",
        )
        .unwrap();
        assert_eq!(manifest.include, ["../clinical"]);
        let schedule = manifest.schedule.unwrap();
        assert_eq!((schedule.gap(), schedule.fold()), (Gap::Skip, Fold::Both));
    }

    #[test]
    fn a_wrong_key_is_named_with_line_allowed_keys_and_the_nearest() {
        let message = refusal("name = \"x\"\n\ndescripton = \"y\"\n");
        assert!(message.starts_with("p/pipeline.toml:3: unknown field `descripton`, expected one of"), "{message}");
        assert!(message.ends_with("did you mean `description`?"), "{message}");
    }

    #[test]
    fn a_wrong_value_is_named_with_line_allowed_values_and_the_nearest() {
        let message = refusal("name = \"x\"\n[schedule]\ncron = \"0 1 * * *\"\ngap = \"run_aftr\"\n");
        assert!(message.starts_with("p/pipeline.toml:4: unknown variant `run_aftr`"), "{message}");
        assert!(
            message.contains("`run_after` or `skip`") && message.ends_with("did you mean `run_after`?"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_name_an_odd_name_and_many_retries_are_refused() {
        assert!(refusal("description = \"x\"").contains("missing field `name`"));
        assert!(refusal("name = \"Night Run\"").contains("1: name `Night Run` must be 1 to 64 of the characters"));
        assert!(refusal("name = \"x\"\nretries = 11").contains("2: retries must be 0 to 10, got 11"));
        assert!(
            refusal("name = \"x\"\n[job]\nmemory_limit_bytes = 5").contains("3: memory_limit_bytes must be at least")
        );
    }

    #[test]
    fn parameters_have_the_types_of_their_values() {
        let manifest = parse(
            "name = \"x\"\n[parameters]\nsite = 3\nshare = 0.5\ncode = \"007\"\nall = true\nday = 2026-01-31\n\
             at = 2026-01-31T03:30:00+01:00\n",
        );
        assert_eq!(
            manifest.unwrap().defaults.to_string(),
            "all:boolean=true, at:timestamp=2026-01-31T02:30:00Z, code:text=007, day:date=2026-01-31, \
             share:double=0.5, site:bigint=3"
        );
        for (value, problem) in [
            ("x = [1]", "3: parameter `x`: a value is a number, a text, true or false, a day such as"),
            ("x = nan", "3: parameter `x`: a double is a finite number"),
            ("x = 10:30:00", "3: parameter `x`: a value is"),
            ("X = 1\nx = 2", "4: parameter `x` is given twice"),
            ("run_date = 2026-01-01", "3: parameter `run_date`: the schedule gives it"),
        ] {
            let message = refusal(&format!("name = \"x\"\n[parameters]\n{value}\n"));
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn an_alert_says_who_is_told_of_what() {
        let manifest = parse(
            "name = \"x\"\n[[alert]]\non = [\"late\"]\nto = [\"oncall\"]\n[[alert]]\nto = [\"team\", \"mail\"]\n",
        );
        let alerts = manifest.unwrap().alerts;
        assert_eq!(alerts[0], AlertRule { on: vec![AlertTransition::Late], to: vec!["oncall".to_owned()] });
        assert_eq!((alerts[1].on.len(), alerts[1].to.len()), (3, 2));
        assert!(refusal("name = \"x\"\n[[alert]]\nto = []\n").contains("3: an alert names at least one receiver"));
        let message = refusal("name = \"x\"\n[[alert]]\non = [\"fail\"]\nto = [\"a\"]\n");
        assert!(message.contains("did you mean `failed`?"), "{message}");
        assert!(refusal("name = \"x\"\n[[alert]]\ncommand = [\"sh\"]\nto = [\"a\"]\n").contains("command"));
    }

    #[test]
    fn what_fires_it_and_how_its_jobs_run() {
        let manifest = parse(
            "name = \"x\"\n[schedule]\ncron = \"0 1 * * *\"\nmissed = \"all\"\n[[trigger]]\ntable = \"a.t\"\n\
             [[trigger]]\npath = \"in/*.csv\"\n[[trigger]]\npipeline = \"y\"\n[job]\nattempts = 5\n\
             timeout_seconds = 60\ngroup = \"site\"\ngroup_limit = 2\nstart_within_seconds = 300\n",
        )
        .unwrap();
        assert_eq!(manifest.missed, Missed::All);
        let kinds: Vec<&str> = manifest.triggers.iter().map(|trigger| trigger.kind.name()).collect();
        assert_eq!(kinds, ["table", "path", "pipeline"]);
        let terms = manifest.terms.of_schedule("x");
        assert_eq!((terms.max_attempts, terms.timeout_ms, terms.start_within_ms), (5, Some(60_000), Some(300_000)));
        assert_eq!(terms.group.map(|group| (group.name, group.limit)), Some(("site".to_owned(), 2)));
        let terms = parse("name = \"x\"").unwrap().terms.of_schedule("x");
        assert_eq!((terms.max_attempts, terms.group.unwrap().name), (3, "pipeline x".to_owned()));
    }

    #[test]
    fn wrong_triggers_and_terms_are_refused_where_they_stand() {
        let name = "name = \"x\"\n";
        for (text, problem) in [
            ("[[trigger]]\ntable = \"t\"", "2: trigger: `t` must be schema.table"),
            ("[[trigger]]\ntable = \"a.t\"\npath = \"p\"", "2: trigger: a trigger has one of"),
            ("[[trigger]]\npath = \"*/a\"", "2: trigger: `*/a` must be a folder and a name"),
            ("[job]\nattempts = 0", "3: attempts must be at least 1 and at most 100, got 0"),
            ("[job]\ngroup_limit = 2", "3: group_limit needs a group"),
            ("[job]\ntimeout_second = 2", "did you mean `timeout_seconds`?"),
        ] {
            let message = refusal(&format!("{name}{text}\n"));
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn an_impossible_schedule_is_refused_where_it_stands() {
        let message = refusal("name = \"x\"\n[schedule]\nzone = \"UTC\"\ncron = \"0 0 30 2 *\"\n");
        assert!(message.starts_with("p/pipeline.toml:4: schedule `0 0 30 2 *` never fires"), "{message}");
    }
}
