//! Objects behind GET, HEAD and PUT: the plain HTTP cache. The door of reqwest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, RANGE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::{Client, Response};
use url::Url;

use super::{ANSWER, CONNECT, Reply, STALL, Source, Wire};
use crate::access::Access;
use crate::fault::{Fault, Kind, chain};
use crate::flow::Flow;

/// Further attempts after an error that may pass, and what is waited before each.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// No longer than this is waited because a server asked for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// An HTTP server.
pub(crate) struct Http {
    base: Url,
    client: Client,
    headers: HeaderMap,
}

/// Headers of all requests: those that are set, and the token.
pub(crate) fn headers(access: &Access) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let wrong = || Fault::refused(format!("the header `{name}` cannot be sent"));
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if let Some(token) = &access.token {
        let mut value: HeaderValue = format!("Bearer {token}")
            .parse()
            .map_err(|_| Fault::refused("the token cannot be sent in a header"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

impl Http {
    pub(crate) fn new(base: Url, access: &Access) -> Result<Http, Fault> {
        let mut base = base;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        crate::access::provide_crypto();
        let home = base.host_str().map(str::to_owned);
        // Headers that give access must not follow a server's word to somewhere else.
        let policy = reqwest::redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > 5 || attempt.url().host_str().map(str::to_owned) != home {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .redirect(policy)
            .user_agent(concat!("jalon/", env!("CARGO_PKG_VERSION")));
        let setup = |error: reqwest::Error| Fault::refused(chain(&error));
        if let Some(pem) = access.roots()? {
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(setup)?;
            builder = builder.tls_certs_merge(roots);
        }
        if let Some(pem) = access.identity()? {
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(setup)?);
        }
        Ok(Http {
            base,
            client: builder.build().map_err(setup)?,
            headers: headers(access)?,
        })
    }

    fn url(&self, name: &str) -> Result<Url, Fault> {
        let mut url = self
            .base
            .join(name)
            .map_err(|error| Fault::refused(error.to_string()))?;
        // What stands behind a question mark belongs to every request: a signature, say.
        url.set_query(self.base.query());
        Ok(url)
    }

    fn request(&self, method: Method, name: &str) -> Result<reqwest::RequestBuilder, Fault> {
        let request = self.client.request(method, self.url(name)?);
        Ok(request.headers(self.headers.clone()))
    }

    /// Sends what can be sent again, until an answer comes that says something.
    async fn ask(&self, method: Method, name: &str, from: u64) -> Result<Response, Fault> {
        let mut tries = AGAIN.iter();
        loop {
            let mut request = self.request(method.clone(), name)?;
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let sent = tokio::time::timeout(ANSWER, request.send()).await;
            let (fault, wait) = match sent {
                Err(_) => {
                    let message = format!("no answer for {} s", ANSWER.as_secs());
                    return Err(Fault::unavailable(message));
                }
                Ok(Err(error)) => (Fault::unavailable(chain(&error.without_url())), None),
                Ok(Ok(response)) if is_passing(response.status()) => {
                    let wait = retry_after(&response);
                    (Fault::unavailable(said(response.status())), wait)
                }
                Ok(Ok(response)) => return Ok(response),
            };
            match tries.next() {
                Some(pause) => tokio::time::sleep(wait.unwrap_or(*pause)).await,
                None => return Err(fault),
            }
        }
    }
}

/// Whether an answer may be another one soon.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response
        .headers()
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

fn said(status: StatusCode) -> String {
    format!(
        "it answered {} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    )
}

/// Whether an answer that is no success only says that there is no such object.
fn absent(status: StatusCode) -> Result<(), Fault> {
    match status.as_u16() {
        404 | 410 => Ok(()),
        401 | 403 | 407 => Err(Fault::new(Kind::Denied, said(status))),
        _ if status.is_redirection() => Err(Fault::refused(format!(
            "{} to another host, which is not followed",
            said(status)
        ))),
        _ => Err(Fault::refused(said(status))),
    }
}

fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The length of the whole object behind a part of it.
fn total_of(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (bounds, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let from = bounds.split_once('-')?.0.parse().ok()?;
    Some((from, total.parse().ok()))
}

#[async_trait]
impl Wire for Http {
    async fn get(&self, name: &str, from: u64) -> Result<Option<Reply>, Fault> {
        let mut response = self.ask(Method::GET, name, from).await?;
        // Nothing is left behind the last byte, or another object lies there now.
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            response = self.ask(Method::GET, name, 0).await?;
        }
        let status = response.status();
        if !status.is_success() {
            return absent(status).map(|()| None);
        }
        let headers = response.headers();
        let (from, total) = match (status, total_of(headers)) {
            (StatusCode::PARTIAL_CONTENT, Some((from, total))) => (from, total),
            _ => (0, number(headers, CONTENT_LENGTH)),
        };
        let stream = response
            .bytes_stream()
            .map(|piece| piece.map_err(|error| Fault::unavailable(chain(&error.without_url()))));
        Ok(Some(Reply {
            total,
            from,
            stream: stream.boxed(),
        }))
    }

    async fn length(&self, name: &str) -> Result<Option<Option<u64>>, Fault> {
        let response = self.ask(Method::HEAD, name, 0).await?;
        let status = response.status();
        if !status.is_success() {
            return absent(status).map(|()| None);
        }
        Ok(Some(number(response.headers(), CONTENT_LENGTH)))
    }

    async fn put(&self, name: &str, source: &Source, flow: &Flow) -> Result<(), Fault> {
        let mut tries = AGAIN.iter();
        loop {
            let began = Instant::now();
            let (sent, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let count = {
                let (sent, last) = (sent.clone(), last.clone());
                move |bytes| {
                    sent.fetch_add(bytes, Ordering::Relaxed);
                    last.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
                }
            };
            let mut request = self
                .request(Method::PUT, name)?
                .header(CONTENT_LENGTH, source.len());
            request = match source {
                Source::Bytes(bytes) if bytes.len() <= 64 << 10 => {
                    count(bytes.len() as u64);
                    request.body(bytes.clone())
                }
                _ => request.body(reqwest::Body::wrap_stream(source.stream(Arc::new(count)))),
            };
            let sending = request.send();
            tokio::pin!(sending);
            let mut told = 0;
            let answer = loop {
                let waited = tokio::time::timeout(Duration::from_millis(250), &mut sending).await;
                let now = sent.load(Ordering::Relaxed);
                flow.went(now - told);
                told = now;
                let idle = began.elapsed()
                    - Duration::from_millis(last.load(Ordering::Relaxed)).min(began.elapsed());
                match waited {
                    Ok(answer) => break answer,
                    Err(_) if flow.is_stopped() => {
                        return Err(Fault::here("the transfer was stopped"));
                    }
                    Err(_) if idle > STALL => {
                        let message = format!("nothing moved for {} s", STALL.as_secs());
                        return Err(Fault::unavailable(message));
                    }
                    Err(_) => {}
                }
            };
            let (fault, wait) = match answer {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) if is_passing(response.status()) => {
                    let wait = retry_after(&response);
                    (Fault::unavailable(said(response.status())), wait)
                }
                Ok(response) => {
                    let status = response.status();
                    // Servers that have no PUT say so in many ways.
                    return Err(match status.as_u16() {
                        401 | 403 | 405 | 407 | 501 => Fault::new(Kind::Denied, said(status)),
                        _ => Fault::refused(said(status)),
                    });
                }
                Err(error) => (Fault::unavailable(chain(&error.without_url())), None),
            };
            match tries.next() {
                Some(pause) => tokio::time::sleep(wait.unwrap_or(*pause)).await,
                None => return Err(fault),
            }
        }
    }

    async fn greet(&self) -> Result<String, Fault> {
        let response = self.ask(Method::HEAD, "ac/", 0).await?;
        let server = response.headers().get(http::header::SERVER);
        let server = server.and_then(|name| name.to_str().ok()).unwrap_or("");
        match response.status().as_u16() {
            401 | 407 => Err(Fault::new(Kind::Denied, said(response.status()))),
            _ if server.is_empty() => Ok("an HTTP server".to_owned()),
            _ => Ok(format!("an HTTP server ({server})")),
        }
    }
}
