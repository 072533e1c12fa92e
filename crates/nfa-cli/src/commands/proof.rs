//! `nfa proof`: exporting, verifying and looking at proofs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nfa_core::{Category, Component, Error};
use nfa_proof::{Bundle, MAX_BUNDLE_BYTES, ProofError, VerifierKey, VerifyPolicy};
use serde_json::json;

use super::closing;
use crate::args::Proof;
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;
use crate::people;

pub(crate) async fn perform(store: &str, proof: Proof, out: &mut Out) -> Result<Exit, Failure> {
    match proof {
        Proof::Verify {
            file,
            key,
            witness,
            witnesses,
        } => {
            let required = witnesses.unwrap_or(witness.len());
            let policy = VerifyPolicy::new(keys(&key)?).with_witnesses(keys(&witness)?, required);
            verify(&file, &policy, out)
        }
        Proof::Export { run, output, agent } => {
            let session = Session::open_existing(store).await?;
            let worked = export(&session, &run, &output, agent.as_deref(), out).await;
            closing(session, worked.map_err(Failure::from)).await
        }
        Proof::Checkpoint { agent } => {
            let session = Session::open_existing(store).await?;
            let worked = session
                .runtime
                .log_info(&agent)
                .await
                .map_err(Failure::from);
            let info = closing(session, worked).await?;
            if out.json() {
                out.record(&info);
                return Ok(Exit::Done);
            }
            out.note(&format!("log {}, {} leaves", info.log, info.size));
            out.note(&format!("key {}", info.verifier_key));
            if let Some(checkpoint) = &info.checkpoint {
                out.line(checkpoint);
            }
            Ok(Exit::Done)
        }
        Proof::Receipt { run } => {
            let session = Session::open_existing(store).await?;
            let worked = async {
                let run = session.find_run(&run).await?;
                session.runtime.receipt(run).await
            };
            let worked = worked.await.map_err(Failure::from);
            let receipt = closing(session, worked).await?;
            if out.json() {
                out.record(&receipt);
            } else {
                out.line(&receipt.to_string());
            }
            Ok(Exit::Done)
        }
    }
}

async fn export(
    session: &Session,
    run: &str,
    file: &Path,
    agent: Option<&str>,
    out: &mut Out,
) -> Result<Exit, Error> {
    let run = session.find_run(run).await?;
    session.runtime.checkpointed(run).await?;
    let bundle = session.runtime.proof(run, agent).await?;
    let bytes = bundle
        .to_vec()
        .map_err(|error| proof_error(&error, Category::Internal))?;
    if file == Path::new("-") {
        out.bytes(&bytes);
        return Ok(Exit::Done);
    }
    std::fs::write(file, &bytes).map_err(|error| {
        Error::new(
            Component::Cli,
            Category::Input,
            "file_not_written",
            format!("{}: cannot be written: {error}", file.display()),
        )
    })?;
    let record = session.runtime.run_record(run).await?;
    let info = session
        .runtime
        .log_info(agent.unwrap_or(&record.agent))
        .await?;
    if out.json() {
        out.record(&json!({
            "run": run,
            "file": file.display().to_string(),
            "bytes": bytes.len(),
            "leaves": bundle.leaves().len(),
            "origin": bundle.origin(),
            "verifier_key": info.verifier_key,
        }));
    } else {
        let (leaves, name) = (bundle.leaves().len(), file.display());
        out.line(&format!("{name}: {leaves} leaves, {} bytes", bytes.len()));
        out.note(&format!(
            "verify: nfa proof verify {name} --key '{}'",
            info.verifier_key
        ));
    }
    Ok(Exit::Done)
}

fn keys(texts: &[String]) -> Result<Vec<VerifierKey>, Error> {
    texts
        .iter()
        .map(|text| {
            VerifierKey::parse(text.trim()).map_err(|error| proof_error(&error, Category::Input))
        })
        .collect()
}

fn verify(file: &Path, policy: &VerifyPolicy, out: &mut Out) -> Result<Exit, Failure> {
    let bytes = read(file)?;
    let report = Bundle::from_slice(&bytes)
        .and_then(|bundle| bundle.verify(policy))
        .map_err(|error| refused(file, &error))?;
    if out.json() {
        out.record(&report);
    } else {
        out.line(&people::clean(&report.to_string()));
    }
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let limit = MAX_BUNDLE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|error| Failure {
        error: Error::new(
            Component::Cli,
            Category::Input,
            "bundle_unreadable",
            format!("{}: expected a proof bundle: {error}", file.display()),
        ),
        exit: Exit::ProofUnreadable,
    })
}

fn refused(file: &Path, error: &ProofError) -> Failure {
    let (verdict, exit) = match error.category() {
        nfa_proof::Category::Invalid => ("INVALID", Exit::ProofInvalid),
        nfa_proof::Category::PolicyUnmet => ("not verified", Exit::ProofPolicyUnmet),
        nfa_proof::Category::Unreadable => ("cannot be read", Exit::ProofUnreadable),
        _ => ("cannot be verified", Exit::BadInput),
    };
    let message = format!("{}: {verdict}: {}", file.display(), error.message());
    let report = Error::new(Component::Proof, Category::Input, error.code(), message)
        .with_details(json!({ "verdict": error.category().as_str() }));
    Failure {
        error: report,
        exit,
    }
}

fn proof_error(error: &ProofError, category: Category) -> Error {
    Error::new(
        Component::Proof,
        category,
        error.code(),
        error.message().to_owned(),
    )
}
