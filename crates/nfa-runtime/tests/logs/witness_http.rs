//! Witnesses over HTTP: our side against the testkit's, and each against requests and answers that are written
//! from C2SP tlog-witness.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_proof::{
    Checkpoint, CosignatureSigner, Hasher as _, MemoryTree, Note, Sha256, Signer, VerifierKey,
    VerifyPolicy,
};
use nfa_runtime::HttpWitness;
use nfa_runtime::ports::{Witness, WitnessAnswer, WitnessRequest};
use nfa_testkit::web::{Answer, WebServer};
use nfa_testkit::witness::{TestWitness, WitnessServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{place, turn};

async fn served(witness: TestWitness) -> (Arc<TestWitness>, WitnessServer, Arc<HttpWitness>) {
    let witness = Arc::new(witness);
    let server = WitnessServer::start(Arc::clone(&witness)).await.unwrap();
    let asks = HttpWitness::new(&server.url(), &server.key().to_string()).unwrap();
    (witness, server, Arc::new(asks))
}

fn any_log(number: u8) -> TestWitness {
    TestWitness::new(&format!("witness-{number}.example"), &[number; 32]).of_any_log()
}

#[tokio::test]
async fn a_log_is_witnessed_over_http_as_it_grows() {
    let (witness, server, asks) = served(any_log(1)).await;
    let port: Arc<dyn Witness> = asks.clone();
    let (runtime, agent) = place(&[&port]).await;
    let mut sizes = vec![0];
    for _ in 0..3 {
        let run = turn(&runtime, &agent).await;
        let info = runtime.witnessed("helper").await.unwrap();
        assert_eq!(witness.signed(&info.origin), Some(info.size));
        assert_eq!(asks.last_failure(), None);
        let bundle = runtime.proof(run, None).await.unwrap();
        let log = VerifierKey::parse(&info.verifier_key).unwrap();
        let ask = |key: VerifierKey| {
            bundle.verify(&VerifyPolicy::new([log.clone()]).with_witnesses([key], 1))
        };
        assert_eq!(ask(witness.key()).unwrap().witnesses.len(), 1);
        assert_eq!(
            ask(any_log(2).key()).unwrap_err().code(),
            "witnesses_missing"
        );
        sizes.push(info.size);
    }
    runtime.close().await.unwrap();
    assert_eq!(witness.refusals(), [""; 0]);
    for asked in server.server().asked() {
        assert_eq!(
            (asked.method(), asked.path()),
            ("POST", "/witness/add-checkpoint")
        );
        let body = std::str::from_utf8(asked.body()).unwrap();
        let (head, checkpoint) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old = lines.next().unwrap().strip_prefix("old ").unwrap();
        let old: u64 = old.parse().unwrap();
        let proof: Vec<_> = lines.map(|line| STANDARD.decode(line).unwrap()).collect();
        assert_eq!(proof.is_empty(), old == 0, "{body}");
        assert!(proof.iter().all(|hash| hash.len() == 32));
        let note = Note::parse(checkpoint.as_bytes()).unwrap();
        assert!(Checkpoint::parse(note.text()).unwrap().size() > old);
    }
}

#[tokio::test]
async fn a_witness_that_knows_more_is_asked_from_where_it_is() {
    let (witness, server, asks) = served(any_log(1)).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("s.db").display());
    for _ in 0..2 {
        let (memory, agent) = place(&[]).await;
        memory.close().await.unwrap();
        // The second runtime does not know what the first was signed for.
        let port: Arc<dyn Witness> = asks.clone();
        let runtime = nfa_runtime::Runtime::options()
            .with(|builder| builder.witness(port))
            .open(&url)
            .await
            .unwrap();
        turn(&runtime, &agent).await;
        let info = runtime.witnessed("helper").await.unwrap();
        assert_eq!(witness.signed(&info.origin), Some(info.size));
        runtime.close().await.unwrap();
    }
    let asked = server.server().asked();
    let from_nothing = asked
        .iter()
        .filter(|asked| asked.body().starts_with(b"old 0\n"));
    assert_eq!(
        from_nothing.count(),
        2,
        "each process begins without knowing"
    );
}

/// A witness that never answers, and one that is not there, beside one that signs.
#[tokio::test]
async fn runs_are_held_up_by_no_witness() {
    let silent = WebServer::start(|_| Answer::silence()).await.unwrap();
    let late = HttpWitness::new(&silent.url(), &any_log(2).key().to_string()).unwrap();
    let late = Arc::new(late.timeout(Duration::from_millis(200)));
    // A port that nobody has while this socket, which does not listen, keeps it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nowhere = format!("http://{}", socket.local_addr().unwrap());
    let absent = HttpWitness::new(&nowhere, &any_log(3).key().to_string()).unwrap();
    let absent = Arc::new(absent);
    let (_witness, _server, signs) = served(any_log(1)).await;
    let ports: [Arc<dyn Witness>; 3] = [late.clone(), absent.clone(), signs.clone()];
    let (runtime, agent) = place(&ports.each_ref()).await;
    let run = turn(&runtime, &agent).await;
    let info = runtime.witnessed("helper").await.unwrap();
    let log = VerifierKey::parse(&info.verifier_key).unwrap();
    let keys = ports.map(|port| VerifierKey::parse(port.verifier_key()).unwrap());
    let bundle = runtime.proof(run, None).await.unwrap();
    let one = VerifyPolicy::new([log.clone()]).with_witnesses(keys.clone(), 1);
    assert_eq!(bundle.verify(&one).unwrap().witnesses.len(), 1);
    let two = VerifyPolicy::new([log]).with_witnesses(keys, 2);
    assert_eq!(bundle.verify(&two).unwrap_err().code(), "witnesses_missing");
    let code = |witness: &HttpWitness| witness.last_failure().map(|failure| failure.code);
    assert_eq!(code(&late).as_deref(), Some("http_timeout"));
    assert_eq!(code(&absent).as_deref(), Some("http_unreachable"));
    assert_eq!(code(&signs), None);
    runtime.close().await.unwrap();
}

/// A log whose operator may lie.
struct Log {
    signer: Signer,
    tree: MemoryTree<Sha256>,
}

impl Log {
    fn new(leaves: &[&str]) -> Self {
        let mut tree = MemoryTree::new();
        for leaf in leaves {
            tree.append(Sha256::leaf(leaf.as_bytes())).unwrap();
        }
        Self {
            signer: Signer::from_seed("log.example", &[9; 32]).unwrap(),
            tree,
        }
    }

    fn checkpoint(&self) -> String {
        let (size, root) = (self.tree.size(), self.tree.root());
        let checkpoint = Checkpoint::new::<Sha256>("log.example", size, root).unwrap();
        checkpoint.sign(&self.signer).unwrap().to_string()
    }

    fn proof(&self, old: u64) -> Vec<[u8; 32]> {
        self.tree.consistency_proof(old, self.tree.size()).unwrap()
    }

    fn request(&self, old_size: u64) -> WitnessRequest {
        WitnessRequest {
            old_size,
            proof: self.proof(old_size.min(self.tree.size())),
            checkpoint: self.checkpoint().into(),
        }
    }

    /// The body of a request, written from the specification.
    fn body(&self, old: u64) -> String {
        let proof = self.proof(old.min(self.tree.size()));
        let proof: String = proof
            .iter()
            .map(|hash| STANDARD.encode(hash) + "\n")
            .collect();
        format!("old {old}\n{proof}\n{}", self.checkpoint())
    }
}

/// Sends a request byte by byte as it stands in the specification; gives status, headers and body.
async fn raw(
    server: &WitnessServer,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.server().address()).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: w\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn the_testkits_witness_answers_as_the_specification_says() {
    let (witness, server, _) = served(TestWitness::new("witness.example", &[1; 32])).await;
    let ask = async |body: String| raw(&server, "POST", "/witness/add-checkpoint", &body).await;
    let log = Log::new(&["a", "b", "c"]);
    assert_eq!(ask(log.body(0)).await.0, 404, "an unknown origin");
    witness.trust(log.signer.verifier_key());

    let mut stranger = Log::new(&["a"]);
    stranger.signer = Signer::from_seed("log.example", &[8; 32]).unwrap();
    assert_eq!(
        ask(stranger.body(0)).await.0,
        403,
        "no key of the log signed"
    );
    assert_eq!(
        ask(log.body(4)).await.0,
        400,
        "an old size beyond the new one"
    );
    for wrong in ["", "old 0\n", "old x\n\nnote\n", "old 0\n\nno note\n"] {
        assert_eq!(ask(wrong.to_owned()).await.0, 400, "{wrong:?}");
    }
    let padded = log
        .body(0)
        .replacen("\n\n", &format!("\n{}\n\n", STANDARD.encode([0; 32])), 1);
    assert_eq!(
        ask(padded).await.0,
        422,
        "a proof from nothing has no lines"
    );

    let (status, _, lines) = ask(log.body(0)).await;
    assert_eq!(status, 200);
    let (text, _) = log
        .checkpoint()
        .rsplit_once("\n\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let note = Note::parse(format!("{text}\n\n{lines}").as_bytes()).unwrap();
    assert_eq!(note.verify(&[witness.key()]).unwrap().len(), 1);
    assert_eq!(ask(log.body(3)).await.0, 200, "the same once more");

    let grown = Log::new(&["a", "b", "c", "d"]);
    let (status, head, body) = ask(grown.body(0)).await;
    assert_eq!((status, body.as_str()), (409, "3\n"));
    assert!(
        head.contains("\r\ncontent-type: text/x.tlog.size"),
        "{head}"
    );
    let (status, head, _) = ask(Log::new(&["a", "b", "x"]).body(3)).await;
    assert_eq!(status, 409, "another root of this size");
    assert!(!head.contains("tlog.size"), "{head}");
    assert_eq!(ask(Log::new(&["a", "b", "x", "d"]).body(3)).await.0, 422);
    assert_eq!(ask(grown.body(3)).await.0, 200);
    assert_eq!(witness.signed("log.example"), Some(4));

    let elsewhere = raw(&server, "POST", "/add-checkpoint", &grown.body(4)).await;
    assert_eq!(elsewhere.0, 404);
    let read = raw(&server, "GET", "/witness/add-checkpoint", "").await;
    assert_eq!(read.0, 405);
}

#[tokio::test]
async fn split_views_and_rollbacks_are_refused_over_http() {
    let (witness, _server, asks) = served(TestWitness::new("witness.example", &[1; 32])).await;
    let log = Log::new(&["a", "b", "c"]);
    let refused = async |request: WitnessRequest| {
        let error = asks.cosign(request).await.unwrap_err();
        assert_eq!(error.code(), "witness_refused");
        assert_eq!(asks.last_failure().unwrap().message, error.message());
        error.details()["status"].as_u64().unwrap()
    };
    assert_eq!(refused(log.request(0)).await, 404);
    witness.trust(log.signer.verifier_key());
    let signed = asks.cosign(log.request(0)).await.unwrap();
    assert!(matches!(signed, WitnessAnswer::Signed(_)), "{signed:?}");
    assert_eq!(refused(Log::new(&["a", "b", "x"]).request(3)).await, 409);
    assert_eq!(
        refused(Log::new(&["a", "b", "x", "d"]).request(3)).await,
        422
    );
    assert_eq!(refused(Log::new(&["a", "b"]).request(3)).await, 400);
    let grown = Log::new(&["a", "b", "c", "d"]);
    let behind = asks.cosign(grown.request(0)).await.unwrap();
    assert_eq!(behind, WitnessAnswer::SignedLast(3));
    let signed = asks.cosign(grown.request(3)).await.unwrap();
    assert!(matches!(signed, WitnessAnswer::Signed(_)), "{signed:?}");
    assert_eq!(asks.last_failure(), None);
}

#[tokio::test]
async fn what_is_no_answer_of_a_witness_is_told_by_a_code() {
    let log = Log::new(&["a", "b", "c"]);
    let note = Note::parse(log.checkpoint().as_bytes()).unwrap();
    let line = |seed: u8| {
        let signer = CosignatureSigner::from_seed("witness.example", &[seed; 32]).unwrap();
        let mut answer = Note::new(note.text()).unwrap();
        answer.add(signer.cosign(&note, 1_767_225_600)).unwrap();
        let text = answer.to_string();
        text.rsplit_once("\n\n").unwrap().1.to_owned()
    };
    let size = |body: &str| {
        let answer = Answer::status(409).header("content-type", "text/x.tlog.size");
        answer.body(body.to_owned())
    };
    let key = CosignatureSigner::from_seed("witness.example", &[1; 32]).unwrap();
    let key = key.verifier_key().to_string();
    let signed = |answer: &WitnessAnswer| matches!(answer, WitnessAnswer::Signed(_));
    for (answer, code) in [
        (Answer::ok(line(1)), None),
        // Other keys are ignored.
        (Answer::ok(line(2) + &line(1)), None),
        (Answer::ok(line(2)), Some("http_response_invalid")),
        (Answer::ok(""), Some("http_response_invalid")),
        (Answer::ok("<html></html>"), Some("http_response_invalid")),
        (
            Answer::ok(line(1).trim_end().to_owned()),
            Some("http_response_invalid"),
        ),
        (
            Answer::ok(line(1)).endless(),
            Some("http_response_too_large"),
        ),
        (
            Answer::ok(line(1)).reset_after(10),
            Some("http_connection_lost"),
        ),
        (
            Answer::ok(line(1)).drip(Duration::from_millis(50)),
            Some("http_timeout"),
        ),
        (Answer::silence(), Some("http_timeout")),
        (size("3"), Some("http_response_invalid")),
        (size("03\n"), Some("http_response_invalid")),
        (
            size("99999999999999999999\n"),
            Some("http_response_invalid"),
        ),
        (Answer::status(409), Some("witness_refused")),
        (Answer::status(500), Some("http_status")),
        (
            Answer::status(302).header("location", "/"),
            Some("http_status"),
        ),
    ] {
        let late = code == Some("http_timeout");
        let shown = format!("{answer:?}");
        let server = WebServer::start(move |_| answer.clone()).await.unwrap();
        let asks = HttpWitness::new(&server.url(), &key).unwrap();
        let asks = asks.timeout(Duration::from_millis(if late { 200 } else { 60_000 }));
        let found = asks.cosign(log.request(0)).await;
        assert_eq!(
            found.as_ref().err().map(|error| error.code()),
            code,
            "{shown}"
        );
        assert!(found.as_ref().is_ok_and(signed) == code.is_none());
        let failure = asks.last_failure().map(|failure| failure.code);
        assert_eq!(failure.as_deref(), code);
        assert_eq!(server.asked().len(), 1, "it is asked once");
    }
    for (url, key, code) in [
        ("witness.example", &*key, "http_url_invalid"),
        ("http://witness.example", "no key", "key_malformed"),
    ] {
        assert_eq!(HttpWitness::new(url, key).unwrap_err().code(), code);
    }
}
