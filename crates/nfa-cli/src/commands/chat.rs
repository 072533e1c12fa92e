//! `nfa chat`: one session, a line a turn.

use std::path::Path;

use nfa_core::content::Message;
use nfa_core::runtime::{Agent, OutcomeStatus};

use super::closing_driven;
use super::run::{read_agent, start_turn};
use crate::args::{Asked, Who};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open::Session;
use crate::out::Out;
use crate::witnesses::Witnesses;
use crate::{follow, input};

pub(crate) async fn chat(
    store: &str,
    file: &Path,
    mut who: Who,
    asked: &Asked,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let witnesses = Witnesses::parse(&asked.witness)?;
    let agent = read_agent(file)?;
    let name = match who.session.take() {
        Some(name) => name,
        None => new_session()?,
    };
    let mut session = Session::open(store, &witnesses).await?;
    out.note(&format!(
        "session {name}; Ctrl-C cancels a turn, Ctrl-D ends"
    ));
    who.session = Some(name);
    let worked = talk(&mut session, &agent, &who, out).await;
    closing_driven(session, worked, out).await
}

fn new_session() -> Result<String, nfa_core::Error> {
    let mut id = [0_u8; 6];
    getrandom::fill(&mut id).map_err(|error| {
        nfa_core::Error::new(
            nfa_core::Component::Cli,
            nfa_core::Category::Configuration,
            "entropy_unavailable",
            format!("the operating system gives no random bytes: {error}"),
        )
    })?;
    Ok(id
        .iter()
        .fold("chat-".to_owned(), |name, byte| format!("{name}{byte:02x}")))
}

async fn talk(
    session: &mut Session,
    agent: &Agent,
    who: &Who,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let person = input::is_terminal() && !out.json();
    loop {
        if person {
            out.prompt("> ");
        }
        let line = tokio::select! {
            line = session.lines.next() => line,
            interrupt = session.interrupts.next() => match interrupt {
                Interrupt::Terminate => return Ok(Exit::Done),
                Interrupt::Cancel => {
                    out.note("\nno turn to cancel; Ctrl-D ends");
                    continue;
                }
            },
        };
        let Some(line) = line.transpose()? else {
            if person {
                out.note("");
            }
            return Ok(Exit::Done);
        };
        if line.trim().is_empty() {
            continue;
        }
        match turn(session, agent, line, who, out).await {
            Ok(OutcomeStatus::Interrupted) => return Ok(Exit::Interrupted),
            // Nobody here can answer, and the session takes no other turn until somebody does.
            Ok(OutcomeStatus::Waiting) if !person => return Ok(Exit::Waiting),
            Ok(_) => {}
            Err(error) if person => out.error(&error),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn turn(
    session: &mut Session,
    agent: &Agent,
    said: impl Into<Message>,
    who: &Who,
    out: &mut Out,
) -> Result<OutcomeStatus, nfa_core::Error> {
    let handle = start_turn(session, agent, said, who).await?;
    follow::to_the_end(session, handle, out).await
}
