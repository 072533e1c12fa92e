//! The witness over HTTP, as C2SP tlog-witness says.

use std::io;
use std::sync::Arc;

use nfa_core::ports::{WitnessAnswer, WitnessRequest};
use nfa_proof::VerifierKey;

use super::TestWitness;
use crate::web::{Answer, Asked, WebServer};

/// What it is asked under.
const PREFIX: &str = "/witness";
/// More lines no consistency proof has.
const MAX_PROOF_LINES: usize = 63;

/// A [`TestWitness`] behind a web server.
///
/// ```
/// use std::sync::Arc;
/// use nfa_testkit::witness::{TestWitness, WitnessServer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let witness = Arc::new(TestWitness::new("witness.example", &[2; 32]));
/// let served = WitnessServer::start(witness).await?;
/// assert!(served.url().starts_with("http://127.0.0.1:"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WitnessServer {
    server: WebServer,
    key: VerifierKey,
}

impl WitnessServer {
    /// Serves the witness on an ephemeral port of 127.0.0.1; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says when no port can be had.
    pub async fn start(witness: Arc<TestWitness>) -> io::Result<Self> {
        let key = witness.key();
        let server = WebServer::start(move |asked| answer(&witness, asked)).await?;
        Ok(Self { server, key })
    }

    /// The prefix that checkpoints are submitted under.
    pub fn url(&self) -> String {
        format!("{}{PREFIX}", self.server.url())
    }

    /// The witness's key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The server around it.
    pub fn server(&self) -> &WebServer {
        &self.server
    }
}

fn answer(witness: &TestWitness, asked: &Asked) -> Answer {
    let call = asked.path().strip_prefix(PREFIX);
    match (call, asked.method()) {
        (Some("/add-checkpoint"), "POST") => {}
        (Some("/add-checkpoint"), _) => return Answer::status(405),
        _ => return refusal(404, "no such call"),
    }
    let Some(request) = std::str::from_utf8(asked.body()).ok().and_then(parse) else {
        return refusal(
            400,
            "expected an old size, proof lines, an empty line and a checkpoint",
        );
    };
    match witness.judge(&request) {
        Ok(WitnessAnswer::Signed(lines)) => {
            Answer::ok(lines).header("content-type", "text/plain; charset=utf-8")
        }
        Ok(WitnessAnswer::SignedLast(size)) => Answer::status(409)
            .header("content-type", "text/x.tlog.size")
            .body(format!("{size}\n")),
        Ok(_) => Answer::status(500),
        Err(error) => {
            let status = match error.code() {
                "witness_log_unknown" => 404,
                "log_signature_missing" => 403,
                "checkpoint_conflict" => 409,
                "consistency_mismatch" | "consistency_proof_length" | "consistency_sizes" => 422,
                _ => 400,
            };
            refusal(status, error.message())
        }
    }
}

/// The body of a request, in its one form.
fn parse(body: &str) -> Option<WitnessRequest> {
    let (head, checkpoint) = body.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old_size = lines.next()?.strip_prefix("old ")?;
    let canonical = old_size == "0" || !old_size.starts_with(['0', '+']);
    let proof: Vec<[u8; 32]> = lines.map(hash).collect::<Option<_>>()?;
    (canonical && proof.len() <= MAX_PROOF_LINES).then_some(WitnessRequest {
        old_size: old_size.parse().ok()?,
        proof,
        checkpoint: checkpoint.into(),
    })
}

fn hash(line: &str) -> Option<[u8; 32]> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(line);
    bytes.ok()?.try_into().ok()
}

fn refusal(status: u16, why: &str) -> Answer {
    Answer::status(status)
        .header("content-type", "text/plain; charset=utf-8")
        .body(format!("{why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_form() {
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let good = parse(&format!("old 12\n{zeros}\n\nnote\n\n— x y\n")).unwrap();
        assert_eq!((good.old_size, good.proof), (12, vec![[0; 32]]));
        assert_eq!(&*good.checkpoint, "note\n\n— x y\n");
        assert!(parse("old 0\n\nnote\n").is_some());
        for wrong in [
            "",
            "old 1",
            "new 1\n\nnote\n",
            "old 01\n\nnote\n",
            "old +1\n\nnote\n",
            "old -1\n\nnote\n",
            "old 1 \n\nnote\n",
            "old 1\nAAAA\n\nnote\n",
            "old 1\r\n\r\nnote\n",
        ] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
        let lines = |count| format!("old 1\n{}\nnote\n", format!("{zeros}\n").repeat(count));
        assert!(parse(&lines(MAX_PROOF_LINES)).is_some());
        assert!(parse(&lines(MAX_PROOF_LINES + 1)).is_none());
    }
}
