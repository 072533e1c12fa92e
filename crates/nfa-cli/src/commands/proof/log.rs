//! An agent's log as a whole: exported, and shown to have only grown.

use std::path::Path;

use nfa_core::Error;
use nfa_runtime::{ConsistencyProof, LogFolder};
use serde_json::json;

use crate::exit::Exit;
use crate::open::Session;
use crate::out::Out;

pub(super) async fn export(
    session: &Session,
    agent: &str,
    folder: &Path,
    out: &mut Out,
) -> Result<Exit, Error> {
    let mut files = LogFolder::new(folder);
    let export = session.runtime.export_log(agent, &mut files).await?;
    let name = folder.display();
    if out.json() {
        out.record(&json!({
            "folder": name.to_string(),
            "origin": export.origin,
            "verifier_key": export.verifier_key,
            "first_key": export.first_key,
            "before": export.before,
            "size": export.size,
            "files_written": files.written(),
        }));
    } else {
        let new = export.size - export.before;
        out.line(&format!(
            "{name}: {} leaves, {new} of them new, {} files written",
            export.size,
            files.written()
        ));
        out.note(&format!(
            "audit: nfa proof audit {name} --key '{}'",
            export.first_key
        ));
    }
    Ok(Exit::Done)
}

pub(super) fn print_consistency(proof: &ConsistencyProof, out: &mut Out) {
    let hashes: Vec<String> = proof.proof.iter().map(base64).collect();
    let (from_root, to_root) = (base64(&proof.from_root), base64(&proof.to_root));
    if out.json() {
        out.record(&json!({
            "origin": proof.origin,
            "from": proof.from,
            "from_root": from_root,
            "to": proof.to,
            "to_root": to_root,
            "proof": hashes,
        }));
        return;
    }
    out.note(&format!(
        "log {}\nfrom {} leaves, root {from_root}\nto   {} leaves, root {to_root}",
        proof.origin, proof.from, proof.to
    ));
    hashes.iter().for_each(|hash| out.line(hash));
}

/// As a checkpoint writes its root.
fn base64(hash: &[u8; 32]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(hash)
}
