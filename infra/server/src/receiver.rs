//! Who is told of alerts, and how.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use causeway_model::Alert;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::error::{Result, ServerError};

/// How long one receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a receiver.
#[derive(Clone)]
pub enum Target {
    /// An HTTP endpoint that takes JSON by POST. Its text may hold a secret and is never shown.
    Webhook(String),
    /// A program and its arguments, without a shell, that reads JSON.
    Command(Vec<String>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(_) => f.write_str("Webhook([redacted])"),
            Self::Command(argv) => write!(f, "Command({:?})", argv.first()),
        }
    }
}

/// Somebody who is told of alerts.
#[derive(Debug, Clone)]
pub struct Receiver {
    name: String,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Webhook { client: Client, url: Redacted },
    Command { program: String, arguments: Vec<String> },
}

/// A URL that is not shown: services of chat put their secret there.
#[derive(Clone)]
struct Redacted(Url);

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Receiver {
    /// Makes a receiver.
    ///
    /// # Errors
    /// [`ServerError::Receiver`] for a URL that is none, or a command without a program.
    pub fn new(name: &str, target: &Target) -> Result<Self> {
        let wrong = |problem: &str| ServerError::Receiver { receiver: name.to_owned(), problem: problem.to_owned() };
        let way = match target {
            Target::Webhook(url) => {
                let url =
                    Url::parse(url).map_err(|_| wrong("webhook must be https://host/path or http://host/path"))?;
                if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                    return Err(wrong("webhook must be https://host/path or http://host/path"));
                }
                let client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
                let client = client.user_agent(concat!("causeway/", env!("CARGO_PKG_VERSION"))).build();
                Way::Webhook {
                    client: client.map_err(|_| wrong("no HTTP client can be made; is TLS set up?"))?,
                    url: Redacted(url),
                }
            }
            Target::Command(argv) => match argv.split_first() {
                Some((program, arguments)) if !program.is_empty() => {
                    Way::Command { program: program.clone(), arguments: arguments.to_vec() }
                }
                _ => return Err(wrong("command must be a list of a program and its arguments")),
            },
        };
        Ok(Self { name: name.to_owned(), way })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells it, once.
    pub(crate) async fn tell(&self, alert: &Alert) -> Result<()> {
        let told = match &self.way {
            Way::Webhook { client, url } => post(client, url, alert).await,
            Way::Command { program, arguments } => run(program, arguments, alert).await,
        };
        told.map_err(|problem| ServerError::NotTold { receiver: self.name.clone(), problem })
    }
}

/// Neither the error's own words nor the answer are shown: they may repeat the URL or the alert.
async fn post(client: &Client, url: &Redacted, alert: &Alert) -> Result<(), String> {
    let request = client
        .post(url.0.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", &alert.spec.key)
        .body(body(alert).to_string());
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("HTTP {}", answer.status())),
        Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
        Err(error) if error.is_connect() => Err("no connection".to_owned()),
        Err(_) => Err("the connection broke".to_owned()),
    }
}

async fn run(program: &str, arguments: &[String], alert: &Alert) -> Result<(), String> {
    let started = Command::new(program)
        .args(arguments)
        .env("CAUSEWAY_ALERT_KEY", &alert.spec.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| format!("the program cannot be started: {}", error.kind()))?;
    let work = async {
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read is told by its arguments alone.
            let _: std::io::Result<()> = input.write_all(format!("{}\n", body(alert)).as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("the program ended with {status}")),
        Ok(Err(error)) => Err(format!("the program cannot be waited for: {}", error.kind())),
        Err(_) => Err("the program did not end in time".to_owned()),
    }
}

/// What is told. The words of an error are not: they may quote a statement.
fn body(alert: &Alert) -> Value {
    json!({
        "key": alert.spec.key,
        "transition": alert.spec.transition.name(),
        "pipeline": alert.spec.pipeline,
        "job": alert.spec.job.map(|job| job.0),
        "run": alert.run,
        "error_code": alert.error_code,
        "at": alert.at,
        "text": text(alert),
    })
}

/// One line for people; chats show the key `text`.
fn text(alert: &Alert) -> String {
    let pipeline = &alert.spec.pipeline;
    let job = alert.spec.job.map(|job| format!(" (job {})", job.0)).unwrap_or_default();
    match (alert.spec.transition.name(), &alert.error_code) {
        ("failed", Some(code)) => format!("pipeline {pipeline} has failed with {code}{job}"),
        ("late", _) => format!("pipeline {pipeline} is late{job}"),
        (transition, _) => format!("pipeline {pipeline} has {transition}{job}"),
    }
}

#[cfg(test)]
mod tests {
    use causeway_model::{AlertId, AlertTransition, JobId, NewAlert};

    use super::*;

    fn alert() -> Alert {
        Alert {
            id: AlertId(1),
            spec: NewAlert {
                key: "failed/r/1".to_owned(),
                transition: AlertTransition::Failed,
                pipeline: "nightly".to_owned(),
                folder: "/srv/nightly".to_owned(),
                job: Some(JobId(7)),
            },
            run: Some("r".to_owned()),
            error_code: Some("CW0103".to_owned()),
            at: "2026-11-24T02:30:00.000Z".to_owned(),
            delivered_to: Vec::new(),
            n_failures: 0,
        }
    }

    #[test]
    fn an_alert_is_one_line_and_its_parts() {
        let body = body(&alert());
        assert_eq!(body["text"], "pipeline nightly has failed with CW0103 (job 7)");
        assert_eq!((&body["transition"], &body["key"]), (&json!("failed"), &json!("failed/r/1")));
    }

    #[test]
    fn what_is_no_receiver_is_refused_and_a_secret_is_not_shown() {
        for wrong in ["ftp://host/", "hooks.example/x", "https://"] {
            assert_eq!(Receiver::new("a", &Target::Webhook(wrong.to_owned())).unwrap_err().code(), "CW1003", "{wrong}");
        }
        assert!(Receiver::new("a", &Target::Command(Vec::new())).is_err());
        let target = Target::Webhook("https://hooks.example/s3cret".to_owned());
        let shown = format!("{target:?} {:?}", Receiver::new("a", &target).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[tokio::test]
    async fn a_command_reads_the_alert_and_no_shell_reads_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told; touch elsewhere");
        let command = |program: &str, argument: &str| Target::Command(vec![program.to_owned(), argument.to_owned()]);
        let tee = Receiver::new("tee", &command("tee", file.to_str().unwrap())).unwrap();
        tee.tell(&alert()).await.unwrap();
        let told: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(told["pipeline"], "nightly");
        let failing = Receiver::new("false", &command("false", "")).unwrap();
        let error = failing.tell(&alert()).await.unwrap_err();
        assert_eq!(error.code(), "CW1004");
        let missing = Receiver::new("none", &command("/nowhere/program", "")).unwrap().tell(&alert()).await;
        assert!(missing.unwrap_err().to_string().contains("cannot be started"));
    }
}
