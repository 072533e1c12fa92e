//! `nfa proof`: exporting, verifying and looking at proofs.

mod audit;
mod export;
mod log;
mod policy;
mod verify;

use nfa_core::{Category, Component, Error};
use nfa_proof::ProofError;

use super::closing;
use crate::args::{Asked, Proof};
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;
use crate::witnesses::Witnesses;

pub(crate) async fn perform(store: &str, proof: Proof, out: &mut Out) -> Result<Exit, Failure> {
    match proof {
        Proof::Verify { file, trust } => verify::verify(&file, &policy::read(&trust)?, out),
        Proof::Audit { log, trust, known } => {
            audit::audit(&log, &policy::read(&trust)?, &known, out).await
        }
        Proof::ExportLog { agent, output } => {
            let session = Session::open_existing(store).await?;
            let worked = log::export(&session, &agent, &output, out).await;
            closing(session, worked.map_err(Failure::from)).await
        }
        Proof::Consistency { agent, from, to } => {
            let session = Session::open_existing(store).await?;
            let worked = session.runtime.consistency(&agent, from, to).await;
            let proof = closing(session, worked.map_err(Failure::from)).await?;
            log::print_consistency(&proof, out);
            Ok(Exit::Done)
        }
        Proof::Export {
            run,
            output,
            agent,
            shown,
        } => {
            let session = Session::open_existing(store).await?;
            let worked =
                export::export(&session, &run, &output, agent.as_deref(), &shown, out).await;
            closing(session, worked.map_err(Failure::from)).await
        }
        Proof::Checkpoint { agent, asked } => checkpoint(store, &agent, &asked, out).await,
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

async fn checkpoint(
    store: &str,
    agent: &str,
    asked: &Asked,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let witnesses = Witnesses::parse(&asked.witness)?;
    let session = Session::open_existing_with(store, &witnesses).await?;
    let worked = if witnesses.is_empty() {
        session.runtime.log_info(agent).await
    } else {
        session.runtime.witnessed(agent).await
    };
    let info = closing(session, worked.map_err(Failure::from)).await?;
    if out.json() {
        out.record(&info);
    } else {
        out.note(&format!("log {}, {} leaves", info.log, info.size));
        out.note(&format!("key {}", info.verifier_key));
        if let Some(checkpoint) = &info.checkpoint {
            out.line(checkpoint);
        }
    }
    match witnesses.all_signed(&info) {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Failure {
            error,
            exit: Exit::ProofPolicyUnmet,
        }),
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
