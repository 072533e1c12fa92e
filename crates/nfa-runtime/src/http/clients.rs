//! HTTP clients, each made when first needed: TLS, with the machine's certificates, only for `https`.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nfa_core::Error;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::failure;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Clients {
    loopback: OnceLock<Client>,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Clients {
    /// The client for `url`.
    pub(super) fn for_url(&self, url: &Url) -> Result<&Client, Error> {
        if url.scheme() == "https" {
            or_make(&self.secure, || Ok(builder(secure_tls()?)))
        } else if is_loopback(url) {
            or_make(&self.loopback, || Ok(builder(no_tls()?).no_proxy()))
        } else {
            or_make(&self.plain, || Ok(builder(no_tls()?)))
        }
    }
}

fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(50))
        .user_agent(concat!("nfa-runtime/", env!("CARGO_PKG_VERSION")))
        // Followed by hand, each hop judged.
        .redirect(Policy::none())
        .referer(false)
}

fn or_make(
    cell: &OnceLock<Client>,
    builder: impl FnOnce() -> Result<ClientBuilder, Error>,
) -> Result<&Client, Error> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let client = builder()?.build().map_err(failure::tls)?;
    Ok(cell.get_or_init(|| client))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A configuration that trusts nobody: it is never used, and costs nothing to make.
fn no_tls() -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failure::tls)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn secure_tls() -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failure::tls)?
        .with_platform_verifier()
        .map_err(failure::tls)?
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_made_for_https_only() {
        let clients = Clients::default();
        for url in ["http://[::1]:1/", "http://127.0.0.2/", "http://localhost/"] {
            let url = Url::parse(url).unwrap();
            assert!(is_loopback(&url), "{url}");
            clients.for_url(&url).unwrap();
        }
        let plain = Url::parse("http://example.com/").unwrap();
        assert!(clients.loopback.get().is_some() && !is_loopback(&plain));
        clients.for_url(&plain).unwrap();
        assert!(clients.plain.get().is_some() && clients.secure.get().is_none());
        clients
            .for_url(&Url::parse("https://example.com/").unwrap())
            .unwrap();
        assert!(clients.secure.get().is_some());
    }
}
