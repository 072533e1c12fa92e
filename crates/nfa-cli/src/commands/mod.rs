//! What each command does. A command opens the store, does its work, and closes the store again.

mod chat;
mod erase;
mod journal;
mod proof;
mod run;
mod runs;
mod schema;
mod signal;

use crate::args::{Args, Command};
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;

pub(crate) async fn perform(args: Args, out: &mut Out) -> Result<Exit, Failure> {
    let store = args.store.as_str();
    match args.command {
        Command::Run {
            agent,
            input,
            who,
            asked,
        } => run::run(store, &agent, input, who, &asked, out).await,
        Command::Chat { agent, who, asked } => chat::chat(store, &agent, who, &asked, out).await,
        Command::Resume {
            run: Some(run),
            turns,
            tokens,
            asked,
            ..
        } => run::resume(store, &run, (turns, tokens), &asked, out).await,
        Command::Resume {
            run: None, asked, ..
        } => run::resume_all(store, &asked, out).await,
        Command::Runs {
            status,
            session,
            limit,
        } => runs::list(store, status, session, limit, out).await,
        Command::Show { run, content } => journal::show(store, &run, content, out).await,
        Command::Cancel { run } => signal::cancel(store, &run, out).await,
        Command::Signal { run, signal } => signal::send(store, &run, signal, out).await,
        Command::Erase { what, yes } => erase::erase(store, what, yes, out).await,
        Command::Proof(proof) => proof::perform(store, proof, out).await,
        Command::Schema { of } => schema::print(of, out),
    }
}

/// Closes whether or not the work succeeded; the work's own error comes first.
async fn closing<T>(session: Session, worked: Result<T, Failure>) -> Result<T, Failure> {
    let closed = session.close().await;
    let value = worked?;
    closed?;
    Ok(value)
}

/// The same where runs were driven: what witnesses say comes at the end.
async fn closing_driven<T>(
    session: Session,
    worked: Result<T, Failure>,
    out: &Out,
) -> Result<T, Failure> {
    let witnesses = session.witnesses();
    let closed = closing(session, worked).await;
    witnesses.tell(out);
    closed
}
