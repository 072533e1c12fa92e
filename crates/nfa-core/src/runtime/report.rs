//! What callers are told of a run: events while it goes on, the outcome when it stops.

use std::sync::{Arc, PoisonError};

use super::cache::Loaded;
use super::driver::Task;
use super::event::{Event, OutcomeStatus, OutcomeSummary};
use super::handle::{Ask, Outcome};
use super::perform;
use crate::engine::{Command, Entry, Exchange, Fact, RunEnd};
use crate::error::{Error, ErrorReport};

impl Task {
    pub(super) fn events_of(&self, entries: &[Entry]) -> Vec<Event> {
        if self.here.events.is_none() {
            return Vec::new();
        }
        let content = &self.here.memory.content;
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            events.push(Event::entry(entry.clone()));
            if let Fact::CallFinished {
                step,
                status,
                result,
            } = &entry.fact
            {
                let text = content
                    .get(result)
                    .map(|loaded| loaded.as_result().0.to_string())
                    .unwrap_or_default();
                events.push(Event::ToolFinished {
                    step: step.clone(),
                    status: *status,
                    text,
                });
            }
            if let Fact::Asked { step, question } = &entry.fact
                && let Some(Command::AskHuman {
                    tool, answer, call, ..
                }) = self.run.pending().find(|command| command.step() == step)
            {
                let arguments = match content.get(answer) {
                    Some(Loaded::Answer(answered)) => usize::try_from(*call)
                        .ok()
                        .and_then(|at| answered.message().tool_calls().nth(at))
                        .map(|call| call.arguments.clone())
                        .unwrap_or_default(),
                    _ => String::new(),
                };
                let (step, tool) = (step.clone(), Arc::clone(&tool.spec.name));
                events.push(Event::Asked {
                    step,
                    question: *question,
                    tool,
                    arguments,
                });
            }
        }
        events
    }

    pub(super) async fn outcome(&self, interrupted: bool) -> Result<Outcome, Error> {
        let here = &self.here;
        let store = &*here.shared.store;
        let content = &here.memory.content;
        let latest = self.run.output().or_else(|| {
            self.run
                .root_conversation()
                .iter()
                .rev()
                .find_map(|exchange| match exchange {
                    Exchange::Answer { answer, .. } => Some(*answer),
                    Exchange::Message(_) => None,
                })
        });
        let text = match latest {
            Some(address) => content
                .fetch(store, address)
                .await
                .map(|loaded| loaded.text())
                .unwrap_or_default(),
            None => String::new(),
        };
        let mut summary = OutcomeSummary {
            run: self.run.id(),
            status: OutcomeStatus::Interrupted,
            output: None,
            text,
            usage: self.run.usage(),
            error: None,
            limit: None,
        };
        let said = here
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if !said.is_empty() && !matches!(self.run.end(), Some(RunEnd::Completed)) {
            summary.text = said;
        }
        match self.run.end() {
            None if interrupted => {}
            None => summary.status = OutcomeStatus::Waiting,
            Some(RunEnd::Completed) => {
                summary.status = OutcomeStatus::Completed;
                if self.run.agent().output.is_some() {
                    summary.output = crate::engine::parse_output(&summary.text).ok();
                }
            }
            Some(RunEnd::Cancelled) => summary.status = OutcomeStatus::Cancelled,
            Some(RunEnd::LimitReached { limit }) => {
                summary.status = OutcomeStatus::LimitReached;
                summary.limit = Some(*limit);
            }
            Some(RunEnd::Failed { error }) => {
                summary.status = OutcomeStatus::Failed;
                let report = match error.report {
                    Some(address) => content.fetch(store, address).await.ok(),
                    None => None,
                };
                summary.error = Some(match report {
                    Some(Loaded::Json(value)) => serde_json::from_value((*value).clone())
                        .unwrap_or_else(|_| report_of(error)),
                    _ => report_of(error),
                });
            }
        }
        let mut asks = Vec::new();
        for command in self.run.pending() {
            if let Command::AskHuman {
                step,
                question,
                tool,
                answer,
                call,
            } = command
            {
                let arguments = perform::arguments_of(here, *answer, *call)
                    .await
                    .unwrap_or_default();
                let tool = Arc::clone(&tool.spec.name);
                asks.push(Ask {
                    step: step.clone(),
                    question: *question,
                    tool,
                    arguments,
                });
            }
        }
        let receipt = self
            .logs
            .as_ref()
            .map_or_else(Default::default, |logs| logs.receipt(self.run.id()));
        Ok(Outcome {
            summary,
            asks,
            receipt,
        })
    }
}

fn report_of(fact: &crate::engine::ErrorFact) -> ErrorReport {
    ErrorReport {
        component: fact.component,
        category: fact.category,
        code: fact.code.to_string(),
        message: "the error's report was erased".to_owned(),
        retryable: fact.retryable,
        details: serde_json::Value::Null,
    }
}
