//! Posts events to an OpenLineage endpoint.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};

use super::{Token, Transport};
use crate::error::{OpenLineageError, Result};
use crate::event::Event;

/// How an endpoint is asked, and asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// How long one request may take, in milliseconds.
    pub timeout_ms: u64,
    /// How often an event is posted before we give up for now; at least once.
    pub max_attempts: u32,
    /// The pause after the first attempt, in milliseconds; it doubles each time.
    pub first_pause_ms: u64,
    /// The longest pause, in milliseconds, also where the endpoint asks for a longer one.
    pub longest_pause_ms: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { timeout_ms: 10_000, max_attempts: 5, first_pause_ms: 200, longest_pause_ms: 30_000 }
    }
}

/// An HTTP endpoint that takes one event a POST, such as Marquez' `/api/v1/lineage`.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client,
    url: Url,
    token: Option<Token>,
    settings: HttpSettings,
}

impl HttpTransport {
    /// Makes a client of an endpoint. It follows no redirects: they would carry events, and the
    /// token, to a place nobody configured.
    ///
    /// # Errors
    /// [`OpenLineageError::Setting`] if the URL is no HTTP URL, holds a password, or a token would go
    /// unencrypted to another machine.
    pub fn new(url: &str, settings: HttpSettings, token: Option<Token>) -> Result<Self> {
        let url = checked(url, token.is_some())?;
        let client = Client::builder()
            .timeout(Duration::from_millis(settings.timeout_ms))
            .redirect(redirect::Policy::none())
            .user_agent(concat!("causeway/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| OpenLineageError::Setting("no HTTP client can be made; is TLS set up?".to_owned()))?;
        Ok(Self { client, url, token, settings })
    }

    async fn post(&self, event: &Event) -> Result<(), Fault> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", event.id.to_string())
            .body(event.body.clone());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.expose());
        }
        // Neither the error's own words nor the answer's body are shown: they may repeat the event.
        let answer = request.send().await.map_err(|error| Fault::unanswered(&error, &self.settings))?;
        match verdict(answer.status()) {
            Verdict::Delivered => Ok(()),
            verdict => Err(Fault::answered(verdict, answer.status(), answer.headers())),
        }
    }

    fn error(&self, fault: Fault) -> OpenLineageError {
        let Fault { verdict, what, .. } = fault;
        let host = self.url.host_str().unwrap_or_default();
        match verdict {
            Verdict::Refused => {
                OpenLineageError::Refused(format!("the lineage endpoint at {host} refuses the event: {what}"))
            }
            Verdict::Unavailable => OpenLineageError::Unavailable(format!(
                "the lineage endpoint at {host} does not take events now: {what}, {} attempts",
                self.settings.max_attempts.max(1)
            )),
            Verdict::Delivered | Verdict::Misconfigured => OpenLineageError::Setting(format!(
                "the lineage endpoint at {host} takes no events from us: {what}; check its URL and the token"
            )),
        }
    }

    /// Returns the pause after an attempt (from 1).
    fn pause(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2u64.saturating_pow(attempt - 1).saturating_mul(self.settings.first_pause_ms);
        let longest = Duration::from_millis(self.settings.longest_pause_ms);
        asked.unwrap_or_default().max(Duration::from_millis(doubled)).min(longest)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, event: &Event) -> Result<()> {
        let mut attempt = 1;
        loop {
            let Err(fault) = self.post(event).await else { return Ok(()) };
            if fault.verdict != Verdict::Unavailable || attempt >= self.settings.max_attempts {
                return Err(self.error(fault));
            }
            tracing::debug!(event = %event.id, attempt, "lineage event is posted again");
            tokio::time::sleep(self.pause(attempt, fault.retry_after)).await;
            attempt += 1;
        }
    }
}

/// What an answer means for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is there.
    Delivered,
    /// It will never be taken.
    Refused,
    /// Try again.
    Unavailable,
    /// None would be taken: the place or the token is wrong.
    Misconfigured,
}

fn verdict(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Delivered,
        400 | 409 | 413 | 422 => Verdict::Refused,
        408 | 425 | 429 | 500..=599 => Verdict::Unavailable,
        _ => Verdict::Misconfigured,
    }
}

/// An attempt that did not deliver.
#[derive(Debug)]
struct Fault {
    verdict: Verdict,
    what: String,
    retry_after: Option<Duration>,
}

impl Fault {
    fn answered(verdict: Verdict, status: StatusCode, headers: &HeaderMap) -> Self {
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self { verdict, what: format!("HTTP {status}"), retry_after: seconds.map(Duration::from_secs) }
    }

    fn unanswered(error: &reqwest::Error, settings: &HttpSettings) -> Self {
        let what = if error.is_timeout() {
            format!("no answer within {} ms", settings.timeout_ms)
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the connection broke".to_owned()
        };
        Self { verdict: Verdict::Unavailable, what, retry_after: None }
    }
}

fn checked(url: &str, with_token: bool) -> Result<Url> {
    let wrong = |problem: &str| OpenLineageError::Setting(format!("the URL of the lineage endpoint {problem}"));
    let url = Url::parse(url).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or password; give a token in a file instead"));
    }
    if with_token && url.scheme() == "http" && !is_this_machine(&url) {
        return Err(wrong("must begin with https://, since a token goes with each event; or leave the token out"));
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
