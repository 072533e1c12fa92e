//! HTTP clients: one that never loads TLS for plain URLs, one with TLS that is made when first needed.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nfa_core::Error;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::{Host, Url};

use crate::errors;

/// Connection pools, shared by the adapters that are given one; clones are the same.
///
/// A pool is made when the first request of its kind is sent. TLS, with the machine's certificates, is
/// set up only when a URL asks for `https`.
#[derive(Clone, Debug)]
pub struct HttpClient(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    connect: Duration,
    loopback: OnceLock<Client>,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

impl HttpClient {
    /// Pools whose connections must stand within `connect`.
    pub fn new(connect: Duration) -> Self {
        Self(Arc::new(Pools {
            connect,
            loopback: OnceLock::new(),
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        }))
    }

    /// The pool for `url`.
    pub(crate) fn for_url(&self, url: &Url) -> Result<&Client, Error> {
        let pools = &*self.0;
        if url.scheme() == "https" {
            return or_make(&pools.secure, || self.builder(secure_tls()?));
        }
        if is_loopback(url) {
            return or_make(&pools.loopback, || Ok(self.builder(no_tls()?)?.no_proxy()));
        }
        or_make(&pools.plain, || self.builder(no_tls()?))
    }

    fn builder(&self, tls: ClientConfig) -> Result<ClientBuilder, Error> {
        Ok(Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.0.connect)
            // Servers close idle connections after a minute or so; be first.
            .pool_idle_timeout(Duration::from_secs(50))
            // A redirected POST with a key in its head is never what was meant.
            .redirect(Policy::none())
            .referer(false))
    }
}

fn or_make(
    cell: &OnceLock<Client>,
    builder: impl FnOnce() -> Result<ClientBuilder, Error>,
) -> Result<&Client, Error> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let client = builder()?.build().map_err(tls_error)?;
    Ok(cell.get_or_init(|| client))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A configuration that trusts nobody: it is never used, and costs nothing to make.
fn no_tls() -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn secure_tls() -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_platform_verifier()
        .map_err(tls_error)?
        .with_no_client_auth())
}

fn tls_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    errors::configuration(
        errors::TLS,
        format!(
            "the HTTP client could not be set up: {error}; are the machine's certificates readable?"
        ),
    )
    .with_source(error)
}

/// What a failed exchange means. `begun`: the head of the answer had come.
pub(crate) fn failure(error: reqwest::Error, url: &Url, begun: bool) -> Error {
    let error = error.without_url();
    let place = url.host_str().unwrap_or("the provider");
    let causes = causes(&error);
    if let Some(refused) = refused_certificate(&error) {
        return errors::configuration(
            errors::TLS,
            format!(
                "expected a certificate of {place} that this machine trusts, found one that it does not \
                 ({refused}): check the base URL, the machine's certificates and its clock"
            ),
        )
        .with_source(error);
    }
    let (code, message) = if error.is_connect() {
        if error.is_timeout() {
            (
                errors::TIMEOUT_CONNECT,
                format!("no connection to {place} in time"),
            )
        } else if causes.contains("refused") {
            (
                errors::REFUSED_CONNECTION,
                format!(
                    "nothing listens at {place}, port {}: is the server running?",
                    port(url)
                ),
            )
        } else {
            (
                errors::UNAVAILABLE,
                format!("could not connect to {place}: {causes}"),
            )
        }
    } else if begun {
        (
            errors::CONNECTION_LOST,
            format!("the connection to {place} broke inside the answer: {causes}"),
        )
    } else {
        (
            errors::CONNECTION_LOST,
            format!("the connection to {place} broke before the answer: {causes}"),
        )
    };
    errors::transient(code, message).with_source(error)
}

/// What is wrong with the other side's certificate, when that is why there is no connection.
fn refused_certificate(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = inner.downcast_ref() {
            return Some(reason.to_string());
        }
        // An I/O error does not count what it was made from among its sources.
        let hidden = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match hidden {
            Some(hidden) => Some(hidden),
            None => inner.source(),
        };
    }
    None
}

/// Whether the connection was closed before a byte of the answer.
pub(crate) fn is_closed_unanswered(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout() && {
        let causes = causes(error);
        causes.contains("closed before message completed") || causes.contains("reset by peer")
    }
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_made_for_https_only() {
        let client = HttpClient::default();
        client
            .for_url(&Url::parse("http://127.0.0.1:1/v1").unwrap())
            .unwrap();
        client
            .for_url(&Url::parse("http://example.com/v1").unwrap())
            .unwrap();
        assert!(client.0.secure.get().is_none());
        client
            .for_url(&Url::parse("https://example.com/v1").unwrap())
            .unwrap();
        assert!(client.0.secure.get().is_some());
    }
}
