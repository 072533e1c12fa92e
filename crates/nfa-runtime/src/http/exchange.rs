//! One request and its answer: bounded in bytes, time and redirects.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use nfa_core::Error;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER,
};
use reqwest::{RequestBuilder, Response, Url};

use super::clients::Clients;
use super::failure;

/// How many redirects one file may take.
const MAX_REDIRECTS: usize = 5;

/// Asks, and reads answers.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    clients: Arc<Clients>,
    /// For a whole exchange, redirects included.
    pub(super) timeout: Duration,
}

/// An answer, whole.
pub(super) struct Received {
    pub(super) status: u16,
    /// The media type, without parameters, in lower case.
    pub(super) media_type: String,
    pub(super) body: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            clients: Arc::default(),
            timeout,
        }
    }

    /// The file at `url`, decoded; `None` where there is none.
    pub(super) async fn get(&self, url: &Url, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        self.in_time(url, async {
            let (url, response) = self.follow(url.clone()).await?;
            match response.status().as_u16() {
                200 => {}
                404 | 410 => return Ok(None),
                status => {
                    let after = retry_after(response.headers());
                    return Err(failure::status(&url, status, after));
                }
            }
            if media_type(response.headers()) == "text/html" {
                let what =
                    "expected a file of a log, found a web page; is this where the log is served?";
                return Err(failure::response_invalid(&url, what));
            }
            let gzip = is_gzip(&url, response.headers())?;
            // What gzip adds to bytes that it cannot shorten.
            let most = if gzip {
                limit + limit / 64 + 1024
            } else {
                limit
            };
            let body = read(response, &url, most).await?;
            let body = if gzip {
                unpack(&url, &body, limit)?
            } else {
                body
            };
            Ok(Some(body))
        })
        .await
    }

    /// What is answered to `body`, whatever the status; followed nowhere else.
    pub(super) async fn post(
        &self,
        url: &Url,
        body: String,
        limit: usize,
    ) -> Result<Received, Error> {
        self.in_time(url, async {
            let request = self.clients.for_url(url)?.post(url.clone());
            let response = send(request.body(body), url).await?;
            Ok(Received {
                status: response.status().as_u16(),
                media_type: media_type(response.headers()),
                body: read(response, url, limit).await?,
            })
        })
        .await
    }

    async fn in_time<T>(
        &self,
        url: &Url,
        exchange: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(failure::timeout(url, self.timeout)))
    }

    /// Asks, and goes where it is sent, but never from `https` to `http`.
    async fn follow(&self, mut url: Url) -> Result<(Url, Response), Error> {
        for _ in 0..=MAX_REDIRECTS {
            let request = self.clients.for_url(&url)?.get(url.clone());
            let request = request.header(ACCEPT_ENCODING, "gzip, identity");
            let response = send(request, &url).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let to = header(response.headers(), LOCATION).and_then(|to| url.join(to).ok());
            let Some(to) = to else {
                let why = "a redirect that does not say where to";
                return Err(failure::redirect_refused(&url, why));
            };
            let downgraded = url.scheme() == "https" && to.scheme() == "http";
            if downgraded || !matches!(to.scheme(), "http" | "https") {
                let why = format!("a redirect to `{}:` is not followed", to.scheme());
                return Err(failure::redirect_refused(&url, &why));
            }
            url = to;
        }
        let why = format!("more than {MAX_REDIRECTS} redirects");
        Err(failure::redirect_refused(&url, &why))
    }
}

async fn send(request: RequestBuilder, url: &Url) -> Result<Response, Error> {
    let sent = request.send().await;
    sent.map_err(|error| failure::broken(error, url, false))
}

/// The body as it comes, refused as soon as it is too long.
async fn read(mut response: Response, url: &Url, limit: usize) -> Result<Vec<u8>, Error> {
    let promised = response.content_length().unwrap_or_default();
    if promised > limit as u64 {
        return Err(failure::too_large(url, limit));
    }
    let mut body = Vec::with_capacity(usize::try_from(promised).unwrap_or_default());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failure::broken(error, url, true))?
    {
        if body.len() + chunk.len() > limit {
            return Err(failure::too_large(url, limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unpack(url: &Url, packed: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(limit as u64 + 1);
    decoder.read_to_end(&mut body).map_err(|error| {
        failure::response_invalid(url, &format!("it says gzip, and is not: {error}"))
    })?;
    if body.len() > limit {
        return Err(failure::too_large(url, limit));
    }
    Ok(body)
}

fn is_gzip(url: &Url, headers: &HeaderMap) -> Result<bool, Error> {
    let encoding = header(headers, CONTENT_ENCODING).unwrap_or("identity");
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => {
            let what = format!("expected the encoding gzip or none, found `{other}`");
            Err(failure::response_invalid(url, &what))
        }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let whole = header(headers, CONTENT_TYPE).unwrap_or_default();
    let name = whole.split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = header(headers, RETRY_AFTER)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
