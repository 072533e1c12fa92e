//! `https`: a log behind a certificate that the machine trusts, or does not.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nfa_testkit::web::{Answer, WebServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::logs::{export, files, talked, text};
use crate::support::{Done, Place, finish};

/// An authority, and a server's side of TLS for `127.0.0.1` in its name; gives the authority's certificate.
fn authority() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (issuer.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// Takes TLS off what comes, and passes it on; gives its port.
async fn behind_tls(acceptor: TlsAcceptor, server: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outer = acceptor.accept(stream).await?;
                let mut inner = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await?;
                io::Result::Ok(())
            });
        }
    });
    port
}

async fn audit(place: &Place, url: &str, key: &str, trusted: Option<&Path>) -> Done {
    let mut command = place.command(&["proof", "audit", url, "--key", key, "--json"]);
    if let Some(file) = trusted {
        command.env("SSL_CERT_FILE", file);
    }
    finish(command).await
}

#[tokio::test]
async fn a_log_is_read_over_https_from_whom_the_machine_trusts() {
    let place = talked(&["one"]).await;
    let exported = export(&place).await;
    let key = text(&exported, "verifier_key");
    let log = files(&place.path("log"));
    let plain = WebServer::files(place.path("log")).await.unwrap();
    let elsewhere = plain.url();
    let server = WebServer::start(move |asked| {
        let path = asked.path();
        match path.strip_prefix("/plain/") {
            Some(path) => Answer::status(302).header("location", &format!("{elsewhere}/{path}")),
            None => match log.get(path.trim_start_matches('/')) {
                Some(bytes) => Answer::ok(bytes.clone()),
                None => Answer::status(404),
            },
        }
    })
    .await
    .unwrap();
    let (certificate, acceptor) = authority();
    let port = behind_tls(acceptor, server.address()).await;
    let url = format!("https://127.0.0.1:{port}");
    let trusted = place.write("authority.pem", certificate);

    audit(&place, &url, key, Some(&trusted)).await.expect(0);
    let stranger = audit(&place, &url, key, None).await.expect(12).error();
    assert_eq!(stranger.code, "http_unreachable", "{stranger:?}");
    let name = format!("https://localhost:{port}");
    let other = audit(&place, &name, key, Some(&trusted)).await.expect(12);
    assert_eq!(other.error().code, "http_unreachable");

    // The same redirects are followed from where there is nothing to lose.
    let down = format!("{url}/plain");
    let refused = audit(&place, &down, key, Some(&trusted)).await.expect(12);
    assert_eq!(refused.error().code, "http_redirect_refused");
    let level = format!("{}/plain", server.url());
    audit(&place, &level, key, None).await.expect(0);
}
