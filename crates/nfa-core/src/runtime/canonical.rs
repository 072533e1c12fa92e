//! The canonical journal: the same bytes for the same run, on every store and from every language (law L11).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::lifecycle::Runtime;
use super::resume::read_journal;
use crate::engine::{Entry, Fact, StepKind, in_canonical_order};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, RunId, StepPath, Subject};
use crate::ports::{RunRecord, idempotency_key};
use crate::spec::canonical_json;

/// Members of entries that hold names, never addresses, whatever the names look like.
const NAMES: [&str; 6] = ["agent", "code", "program", "run", "to", "tool"];

impl Runtime {
    /// The journal of a run, and of the runs that it started, as text that is the same wherever the same thing
    /// happened: on any store, from any language, in one process or in several (law L11).
    ///
    /// One line of [canonical JSON](crate::spec::canonical_json) for the run, then one for each entry; then the
    /// same for each run that it started, in the order of their steps.
    ///
    /// What differs between two executions of the same thing is pinned or left out:
    ///
    /// - runs are numbered from 1, in the order in which they stand here;
    /// - the order of entries is that of cause and effect, and of the paths where there is none; their numbers,
    ///   times and lease epochs are left out;
    /// - instead of an address, which depends on a random key, stands the content itself, or
    ///   `{"erased":true}`;
    /// - what a provider draws at random is left out: ids of answers and calls (a call is known by its place), and
    ///   what it wants back unread, of which only its name stays;
    /// - the text and details of an error are left out, since they may name addresses, durations and a language's
    ///   types; what a tool said in failing (`tool_failed`) stays;
    /// - keys, salts, leaves, their indices and signatures are no part of a journal, nor of this.
    ///
    /// Usage, costs, the program's hash, names of agents, tools, sessions and users, attempts and everything
    /// that was said stay.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    ///
    /// use nfa_core::runtime::{Agent, Runtime};
    /// use nfa_testkit::scripted::{ScriptedModel, Turn};
    ///
    /// let mut journals = Vec::new();
    /// for _ in 0..2 {
    ///     let model = Arc::new(ScriptedModel::new([Turn::text("Hello.")]));
    ///     let agent = Agent::builder("greeter").model(model).build()?;
    ///     let runtime = Runtime::builder().build()?;
    ///     let outcome = runtime.run(&agent, "Hi.").outcome().await?;
    ///     journals.push(runtime.canonical_journal(outcome.run()).await?);
    ///     runtime.close().await?;
    /// }
    /// assert_eq!(journals[0], journals[1]);
    /// assert_eq!(journals[0].lines().count(), 5);
    /// # Ok::<(), nfa_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `run_unknown`, what the store gives, and `number_not_canonical` for content with an integer that
    /// canonical JSON cannot hold.
    pub async fn canonical_journal(&self, run: RunId) -> Result<String, Error> {
        let mut writer = Writer {
            runtime: self,
            out: String::new(),
            runs: 0,
            subjects: Vec::new(),
        };
        // Depth first: a run's own runs stand behind it, in the order of their steps.
        let mut waiting = vec![(self.run_record(run).await?, None)];
        while let Some((record, parent)) = waiting.pop() {
            let mut started = writer.run(&record, parent).await?;
            started.reverse();
            waiting.extend(started);
        }
        Ok(writer.out)
    }
}

/// Which run started one, as the number that it has here, and at which step.
type Parent = Option<(u64, StepPath)>;

struct Writer<'a> {
    runtime: &'a Runtime,
    out: String,
    /// How many runs have their number.
    runs: u64,
    /// Whose content the runs hold, and how that is written: a run of its own has a number in place of its id.
    subjects: Vec<(Subject, String)>,
}

impl Writer<'_> {
    /// Writes one run; gives those that it started.
    async fn run(
        &mut self,
        record: &RunRecord,
        parent: Parent,
    ) -> Result<Vec<(RunRecord, Parent)>, Error> {
        self.runs += 1;
        let number = self.runs;
        let entries = read_journal(&self.runtime.shared, record.run).await?;
        let entries = in_canonical_order(&entries);
        let subject = self.subject(number, record);
        self.line(&head(number, record, &subject, parent.as_ref()))?;
        let mut facts = Vec::with_capacity(entries.len());
        let mut named = BTreeSet::new();
        for entry in &entries {
            let fact = pinned(entry, number)?;
            collect(&fact, &mut named);
            facts.push(fact);
        }
        let content = self.open(record, named).await?;
        for mut fact in facts {
            put_content(&mut fact, &content);
            self.line(&fact)?;
        }
        let mut started = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in entries {
            let Fact::StepStarted {
                step,
                kind: StepKind::ChildRun,
                ..
            } = &entry.fact
            else {
                continue;
            };
            // One step starts one run, however many attempts it takes.
            if !seen.insert(step) {
                continue;
            }
            let id = RunId(idempotency_key(record.run, step).0);
            if let Some(child) = self.runtime.shared.store.run(id).await? {
                started.push((child, Some((number, step.clone()))));
            }
        }
        Ok(started)
    }

    fn subject(&mut self, number: u64, record: &RunRecord) -> String {
        let mut known = self.subjects.iter();
        if let Some((_, written)) = known.find(|(subject, _)| *subject == record.subject) {
            return written.clone();
        }
        let written = if record.subject == Subject::run(record.run) {
            format!("run:{number}")
        } else {
            record.subject.as_str().to_owned()
        };
        self.subjects
            .push((record.subject.clone(), written.clone()));
        written
    }

    /// Opens content; what is erased is told of as that.
    async fn open(
        &self,
        record: &RunRecord,
        named: BTreeSet<Address>,
    ) -> Result<BTreeMap<Address, Value>, Error> {
        let shared = &self.runtime.shared;
        let vault = shared.reading_vault(&record.subject).await?;
        let named: Vec<Address> = named.into_iter().collect();
        let envelopes = shared.store.blobs(&named).await?;
        let mut content = BTreeMap::new();
        for (address, envelope) in named.into_iter().zip(envelopes) {
            let opened = envelope.map(|envelope| vault.open(&address, &envelope));
            let value = match opened {
                None => json!({ "erased": true }),
                Some(Err(error)) if error.code() == "content_erased" => json!({ "erased": true }),
                Some(plain) => {
                    let mut value = serde_json::from_slice(&plain?).map_err(not_json)?;
                    without_random(&mut value);
                    value
                }
            };
            content.insert(address, value);
        }
        Ok(content)
    }

    fn line(&mut self, value: &Value) -> Result<(), Error> {
        self.out.push_str(&canonical_json(value)?);
        self.out.push('\n');
        Ok(())
    }
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(
        Component::Runtime,
        Category::Internal,
        "content_not_json",
        format!("a journal cannot be written as JSON: {error}"),
    )
}

/// What the store says of the run as a whole.
fn head(number: u64, record: &RunRecord, subject: &str, parent: Option<&(u64, StepPath)>) -> Value {
    let mut head = json!({
        "run": number,
        "agent": record.agent,
        "program": record.program,
        "status": record.status,
        "subject": subject,
    });
    if let Some(head) = head.as_object_mut() {
        if let Some(session) = &record.session {
            head.insert("session".to_owned(), json!(session));
        }
        if let Some((run, step)) = parent {
            head.insert("parent".to_owned(), json!({ "run": run, "step": step }));
        }
    }
    head
}

/// An entry without its number, time and epoch, and with the run's number in the place of its id.
fn pinned(entry: &Entry, number: u64) -> Result<Value, Error> {
    let mut value = serde_json::to_value(entry).map_err(not_json)?;
    if let Some(members) = value.as_object_mut() {
        for left_out in ["seq", "at", "epoch"] {
            members.remove(left_out);
        }
        if let Some(run) = members.get_mut("run") {
            *run = number.into();
        }
    }
    without_reports(&mut value);
    Ok(value)
}

/// Leaves the reports of errors out, but for those that hold what a tool said.
fn without_reports(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_reports),
        Value::Object(members) => {
            if members
                .get("code")
                .is_some_and(|code| *code != "tool_failed")
            {
                members.remove("report");
            }
            members.values_mut().for_each(without_reports);
        }
        _ => {}
    }
}

/// Whatever stands where addresses stand, and is one.
fn address_of(name: &str, value: &Value) -> Option<Address> {
    let text = value.as_str().filter(|_| !NAMES.contains(&name))?;
    text.parse().ok()
}

fn collect(value: &Value, named: &mut BTreeSet<Address>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
        Value::Object(members) => {
            for (name, member) in members {
                named.extend(address_of(name, member));
                collect(member, named);
            }
        }
        _ => {}
    }
}

fn put_content(value: &mut Value, content: &BTreeMap<Address, Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| put_content(item, content)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match address_of(name, member).and_then(|address| content.get(&address)) {
                    Some(opened) => *member = opened.clone(),
                    None => put_content(member, content),
                }
            }
        }
        _ => {}
    }
}

/// Leaves out of content what a provider drew at random.
fn without_random(content: &mut Value) {
    let Some(members) = content.as_object_mut() else {
        return;
    };
    members.remove("response_id");
    let message = match members.get_mut("message") {
        Some(Value::Object(message)) => message,
        _ => members,
    };
    let parts = message.get_mut("parts").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        let Some(part) = part.as_object_mut() else {
            continue;
        };
        match part.get("type").and_then(Value::as_str) {
            Some("tool_call") => drop(part.remove("id")),
            Some("tool_result") => drop(part.remove("call_id")),
            Some("opaque") => drop(part.remove("value")),
            _ => {}
        }
        without_opaque(part);
        let citations = part.get_mut("citations").and_then(Value::as_array_mut);
        for citation in citations.into_iter().flatten() {
            if let Some(citation) = citation.as_object_mut() {
                without_opaque(citation);
            }
        }
    }
}

fn without_opaque(members: &mut Map<String, Value>) {
    if let Some(Value::Object(opaque)) = members.get_mut("opaque") {
        opaque.remove("value");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_draws_is_left_out_and_the_rest_stays() {
        let mut answer = json!({
            "content": "answer",
            "response_id": "resp_7",
            "model": "m",
            "usage": {"input_tokens": 1, "output_tokens": 2, "cost_micro_usd": 3},
            "message": {"role": "assistant", "parts": [
                {"type": "reasoning", "text": "hm", "opaque": {"provider": "p", "value": "sig"}},
                {"type": "tool_call", "id": "call_9", "name": "add", "arguments": "{\"id\":1}"},
                {"type": "opaque", "provider": "p", "value": {"id": 1}},
                {"type": "text", "text": "id", "citations": [{"url": "u", "opaque": {"provider": "p", "value": 1}}]},
            ]},
        });
        without_random(&mut answer);
        let expected = json!({
            "content": "answer",
            "model": "m",
            "usage": {"input_tokens": 1, "output_tokens": 2, "cost_micro_usd": 3},
            "message": {"role": "assistant", "parts": [
                {"type": "reasoning", "text": "hm", "opaque": {"provider": "p"}},
                {"type": "tool_call", "name": "add", "arguments": "{\"id\":1}"},
                {"type": "opaque", "provider": "p"},
                {"type": "text", "text": "id", "citations": [{"url": "u", "opaque": {"provider": "p"}}]},
            ]},
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn names_are_no_addresses_and_only_a_tools_words_stay() {
        let hash = "ab".repeat(32);
        let mut fact = json!({
            "type": "x", "program": hash, "tool": hash, "answer": hash,
            "error": {"code": "model_refused", "report": hash},
            "end": {"error": {"code": "tool_failed", "report": hash}},
        });
        without_reports(&mut fact);
        let mut named = BTreeSet::new();
        collect(&fact, &mut named);
        let said = named.into_iter().map(|address| (address, json!("said")));
        put_content(&mut fact, &said.collect());
        let expected = json!({
            "type": "x", "program": hash, "tool": hash, "answer": "said",
            "error": {"code": "model_refused"},
            "end": {"error": {"code": "tool_failed", "report": "said"}},
        });
        assert_eq!(fact, expected);
    }
}
