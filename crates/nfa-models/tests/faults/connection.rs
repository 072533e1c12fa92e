//! Connections: that never stand, that break, that end too early.

use std::process::Command;
use std::sync::Arc;

use nfa_core::spec::Limits;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{TEXT, ask, code, deadlines, retrying, run, said, serve, text};
use crate::wires::{Setup, WIRES};

#[tokio::test]
async fn nobody_listening_is_said_so() {
    for wire in WIRES {
        let server = serve([]).await;
        let address = server.address();
        let model = wire.adapter(&server);
        drop(server);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        let error = ask(&model, false).await.1.unwrap_err();
        assert_eq!(error.code(), "model_refused_connection");
        assert!(error.is_retryable());
        assert!(error.message().contains(&address.port().to_string()));
        let script = Script::always(Reply::text(TEXT));
        let back = FakeServer::builder().port(address.port());
        let _server = back.start(script).await.unwrap();
        assert_eq!(
            ask(&model, true).await.1.unwrap().message.joined_text(),
            TEXT
        );
    }
}

/// The adapters' end of [`a_certificate_that_nobody_trusts_is_refused_for_good`], in a process of its own:
/// which certificates a machine trusts is read once.
#[tokio::test]
#[ignore = "run by another test"]
async fn asks_over_tls() {
    let address = std::env::var("NFA_TEST_TLS_ADDRESS").unwrap();
    let expected = std::env::var("NFA_TEST_TLS_EXPECTED").unwrap();
    for wire in WIRES {
        let model = (wire.build)(Setup::new(format!("https://{address}{}", wire.root)));
        let model = retrying(crate::wires::Adapter(model));
        for deltas in [true, false] {
            let (_, answer) = ask(&model, deltas).await;
            assert_eq!(code(&answer), expected, "{}: {answer:?}", wire.name);
            assert!(answer.is_ok() || !answer.unwrap_err().is_retryable());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_trusts_is_refused_for_good() {
    let server = FakeServer::start(Script::always(Reply::text(TEXT)))
        .await
        .unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = server.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await
                    && let Ok(mut inner) = TcpStream::connect(behind).await
                {
                    let _ = copy_bidirectional(&mut stream, &mut inner).await;
                }
            });
        }
    });
    let child = |expected: &'static str, trusts: Option<&std::path::Path>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "connection::asks_over_tls", "--ignored"])
            .env("NFA_TEST_TLS_ADDRESS", format!("localhost:{port}"))
            .env("NFA_TEST_TLS_EXPECTED", expected);
        if let Some(file) = trusts {
            command.env("SSL_CERT_FILE", file);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let refused = child("model_tls", None).await.unwrap();
    assert!(refused.status.success(), "{refused:?}");
    assert_eq!(server.count(), 0);
    let taken = child("ok", Some(&trusted)).await.unwrap();
    assert!(taken.status.success(), "{taken:?}");
    assert_eq!(server.count(), 2 * WIRES.len() as u64);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_lost() {
    for wire in WIRES {
        for fault in [Fault::ResetBeforeHead, Fault::CloseBeforeHead] {
            for deltas in [true, false] {
                let server = serve([said(fault.clone()), Reply::text(TEXT)]).await;
                let (_, answer) = ask(&wire.adapter(&server), deltas).await;
                let error = answer.unwrap_err();
                assert_eq!(error.code(), "model_connection_lost", "{fault:?}");
                assert!(error.is_retryable());
                // Nothing was idle before: it is not sent again behind the caller's back.
                assert_eq!(server.count(), 1, "{fault:?}");
                let server = serve([said(fault.clone()), Reply::text(TEXT)]).await;
                let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
                assert_eq!(answer.unwrap().message.joined_text(), TEXT);
                assert_eq!(server.count(), 2, "{fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_even_when_it_ends_cleanly() {
    for wire in WIRES {
        for (fault, whole) in [
            (Fault::ResetMidStream { after: 2 }, "model_connection_lost"),
            (Fault::CloseMidStream { after: 2 }, "model_connection_lost"),
            (Fault::EofWithoutTerminator { after: 2 }, "ok"),
            (Fault::EofWithoutTerminator { after: 0 }, "ok"),
        ] {
            let server = serve([said(fault.clone()), said(fault.clone())]).await;
            let model = wire.adapter(&server);
            for (deltas, expected) in [(true, "stream_truncated"), (false, whole)] {
                let (_, answer) = ask(&model, deltas).await;
                assert_eq!(code(&answer), expected, "{} {fault:?}", wire.name);
                assert!(answer.is_ok() || answer.unwrap_err().is_retryable());
            }
        }
    }
}

#[tokio::test]
async fn a_broken_stream_is_retracted_and_asked_for_again() {
    use nfa_core::ports::ModelDelta;
    for wire in WIRES {
        let server = serve([
            // Every wire has begun its text by then, and none has ended it.
            Reply::text("on and on. ".repeat(20))
                .in_chunks_of(3)
                .with_fault(Fault::ResetMidStream { after: 20 }),
            Reply::error(500, "bad", "x"),
            Reply::text("whole"),
        ])
        .await;
        let (deltas, answer) = ask(&retrying(wire.adapter(&server)), true).await;
        assert_eq!(answer.unwrap().message.joined_text(), "whole");
        assert_eq!(text(&deltas), "whole");
        let is_retracted = |delta: &&ModelDelta| matches!(delta, ModelDelta::Retracted { .. });
        let retracted = deltas.iter().filter(is_retracted).count();
        let surfaced = !matches!(deltas.first(), Some(ModelDelta::Retracted { .. }));
        assert_eq!(
            (retracted, surfaced),
            (1, true),
            "{}: {deltas:?}",
            wire.name
        );
        assert_eq!(server.count(), 3);
    }
}

/// Wherever the stream of a call breaks, and however: it is asked for again, and the call runs once.
#[tokio::test]
async fn a_call_whose_stream_breaks_runs_once() {
    for wire in WIRES {
        for after in 0..9 {
            for fault in [
                Fault::ResetMidStream { after },
                Fault::CloseMidStream { after },
                Fault::EofWithoutTerminator { after },
                Fault::ErrorEvent { after },
                Fault::MalformedEvent { after },
            ] {
                let call = || Reply::call("add", r#"{"a":1}"#).in_chunks_of(2);
                let server = FakeServer::start(Script::from_fn({
                    let fault = fault.clone();
                    move |request| match (request.tool_results(), request.number()) {
                        (0, 1) => call().with_fault(fault.clone()),
                        (0, _) => call(),
                        _ => Reply::text(TEXT),
                    }
                }))
                .await
                .unwrap();
                let ran = run(retrying(wire.adapter(&server)), true, Limits::default()).await;
                let what = format!("{} {fault:?}", wire.name);
                assert_eq!(ran.outcome.text(), TEXT, "{what}");
                assert_eq!(ran.calls, [serde_json::json!({"a": 1})], "{what}");
                assert!(server.count() <= 3, "{what}");
                assert_eq!(server.violations(), [], "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_after_the_connection_is_not_waited_for_for_ever() {
    for wire in WIRES {
        for (deltas, expected) in [
            (true, "model_timeout_headers"),
            (false, "model_timeout_total"),
        ] {
            let server = serve([said(Fault::StallBeforeHead), Reply::text(TEXT)]).await;
            let model = wire.adapter_with(&server, |setup| {
                setup.deadlines = deadlines(|limits| {
                    limits.headers = std::time::Duration::from_secs(20);
                });
            });
            let (_, answer) = ask(&model, deltas).await;
            assert_eq!(code(&answer), expected, "{}", wire.name);
            server.wait_for_hangups(1).await;
            let (_, answer) = ask(&model, deltas).await;
            assert_eq!(answer.unwrap().message.joined_text(), TEXT);
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_answer() {
    for wire in WIRES {
        let closed = || said(Fault::CloseBeforeHead);
        let server = serve([
            closed(),
            Reply::text("a"),
            closed(),
            Reply::text("b"),
            closed(),
            closed(),
        ])
        .await;
        let model = wire.adapter(&server);
        // Nothing was idle yet: this one is the server's fault.
        assert_eq!(code(&ask(&model, false).await.1), "model_connection_lost");
        for text in ["a", "b"] {
            let answer = ask(&model, false).await.1.unwrap();
            assert_eq!(answer.message.joined_text(), text);
        }
        // Once more, and no further.
        assert_eq!(code(&ask(&model, true).await.1), "model_connection_lost");
        assert_eq!(server.count(), 6);
    }
}

#[tokio::test]
async fn connections_are_used_again_streamed_or_not() {
    for wire in WIRES {
        let server = FakeServer::start(Script::always(Reply::text(TEXT)))
            .await
            .unwrap();
        let model = wire.adapter(&server);
        for deltas in [true, false, true, true, false] {
            ask(&model, deltas).await.1.unwrap();
        }
        assert_eq!((server.count(), server.connections()), (5, 1));
    }
}
