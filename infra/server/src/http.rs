//! `/metrics`, `/healthz`, `/readyz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use causeway_engine::Engine;
use tokio::net::TcpListener;

use crate::error::{Result, ServerError};
use crate::metrics::Metrics;

/// How long the catalog may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// The route of what is not there.
const ELSEWHERE: &str = "other";

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the process takes work. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that the process takes no other work.
    pub fn drain(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn drains(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Shown {
    engine: Engine,
    metrics: Metrics,
    readiness: Readiness,
}

/// Begins to listen; connections wait until [`serve`] takes them.
///
/// # Errors
/// [`ServerError::Address`] for what is no address, [`ServerError::Listen`] where it is taken or not ours.
pub async fn bind(address: &str) -> Result<TcpListener> {
    let address: SocketAddr = address.parse().map_err(|_| ServerError::Address { given: address.to_owned() })?;
    TcpListener::bind(address).await.map_err(|error| {
        let problem = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another process listens there; stop it, or give another port".to_owned(),
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need a right this process lacks".to_owned(),
            std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => error.to_string(),
        };
        ServerError::Listen { address, problem }
    })
}

/// Answers requests until `end` is ready; those that were begun are answered.
///
/// # Errors
/// If connections cannot be taken any more.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    metrics: Metrics,
    readiness: Readiness,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = routes(Shown { engine, metrics, readiness });
    axum::serve(listener, routes).with_graceful_shutdown(end).await
}

fn routes(shown: Shown) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { (StatusCode::NOT_FOUND, "try /metrics, /healthz or /readyz\n") })
        .layer(middleware::from_fn_with_state(shown.clone(), count))
        .with_state(shown)
}

async fn count(State(shown): State<Shown>, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let route = path.as_ref().map_or(ELSEWHERE, MatchedPath::as_str);
    shown.metrics.answered(route, answer.status().as_u16());
    answer
}

async fn scrape(State(shown): State<Shown>) -> Response {
    match shown.metrics.scrape(&shown.engine).await {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::warn!(code = error.code(), "the catalog does not answer a scrape");
            (StatusCode::SERVICE_UNAVAILABLE, format!("the catalog does not answer: {}\n", error.code()))
                .into_response()
        }
    }
}

async fn ready(State(shown): State<Shown>) -> Response {
    if shown.readiness.drains() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining: running jobs end, no other is taken\n").into_response();
    }
    match tokio::time::timeout(PATIENCE, shown.engine.catalog().open_jobs()).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("the catalog does not answer: {}\n", error.code()))
            .into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the catalog does not answer in time\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_address_and_what_is_taken_is_said() {
        for wrong in ["9464", "localhost", "127.0.0.1", "127.0.0.1:99999", ""] {
            let error = bind(wrong).await.unwrap_err();
            assert_eq!(error.code(), "CW1001", "{wrong}");
            assert!(error.to_string().contains("IP:PORT"), "{error}");
        }
        let first = bind("127.0.0.1:0").await.unwrap();
        let error = bind(&first.local_addr().unwrap().to_string()).await.unwrap_err();
        assert_eq!(error.code(), "CW1002");
        assert!(error.to_string().contains("another process listens there"), "{error}");
        let elsewhere = bind("192.0.2.1:9464").await.unwrap_err();
        assert!(elsewhere.to_string().contains("does not have that address"), "{elsewhere}");
    }
}
