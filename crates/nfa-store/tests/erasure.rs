//! Erasing: no file keeps a copy, every other proof holds, and neither a crash nor a backup brings it back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nfa_core::content::{Sealing, SubjectVault};
use nfa_core::engine::Fact;
use nfa_core::ids::{Address, RunId, SessionId, Subject};
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{
    BoxFuture, CallContext, Durability, ErasedKey, ErasureRecord, Keys, MemoryKeys, Store, Tool,
    ToolError, ToolOutput,
};
use nfa_core::runtime::{Agent, Erased, Erasure, OutcomeStatus, Runtime};
use nfa_core::spec::{Approval, Effect, ToolSpec};
use nfa_proof::{Bundle, FieldId, Leaf, LeafKind, LeafProof, VerifierKey, VerifyPolicy, commit};
use nfa_store::{Options, SqliteStore};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde_json::{Value, json};

struct World {
    store: Arc<dyn Store>,
    keys: Arc<dyn Keys>,
    runtime: Runtime,
    model: Arc<ScriptedModel>,
    agent: Agent,
}

impl World {
    fn new(store: Arc<dyn Store>, keys: Arc<dyn Keys>) -> Self {
        let model = Arc::new(ScriptedModel::from_fn(|_| Turn::text("certainly")));
        let agent = Agent::builder("helper")
            .model(model.clone())
            .build()
            .unwrap();
        let runtime = Runtime::builder()
            .store(store.clone(), keys.clone())
            .build()
            .unwrap();
        Self {
            store,
            keys,
            runtime,
            model,
            agent,
        }
    }

    fn open(file: &Path, durability: Durability) -> Self {
        let store = SqliteStore::open(file, Options::with_durability(durability)).unwrap();
        let keys = store.keys();
        Self::new(Arc::new(store), keys)
    }

    fn memory() -> Self {
        Self::new(Arc::new(MemoryStore::new()), Arc::new(MemoryKeys::new()))
    }

    async fn say(&self, session: &str, user: Option<&str>, text: &str) -> RunId {
        let mut run = self.runtime.run(&self.agent, text).session(session);
        if let Some(user) = user {
            run = run.user(user);
        }
        let outcome = run.outcome().await.unwrap();
        assert!(outcome.is_completed(), "{:?}", outcome.error());
        self.runtime.checkpointed(outcome.run()).await.unwrap();
        outcome.run()
    }

    async fn input(&self, run: RunId) -> Address {
        match &self.runtime.journal(run).await.unwrap()[0].fact {
            Fact::RunStarted { input, .. } => *input,
            other => panic!("{other:?}"),
        }
    }

    async fn envelope(&self, address: Address) -> Option<Vec<u8>> {
        let found = self.store.blobs(&[address]).await.unwrap();
        found[0].as_ref().map(|envelope| envelope.to_vec())
    }

    /// The proof of a run, verified, and its one leaf.
    async fn leaf(&self, run: RunId) -> LeafProof {
        let bundle = self.runtime.proof(run, None).await.unwrap();
        let info = self.runtime.log_info("helper").await.unwrap();
        let key = VerifierKey::parse(&info.verifier_key).unwrap();
        let bundle = Bundle::from_slice(&bundle.to_vec().unwrap()).unwrap();
        bundle.verify(&VerifyPolicy::new([key])).unwrap();
        assert_eq!(bundle.leaves().len(), 1);
        bundle.leaves()[0].clone()
    }

    async fn is_erased(&self, run: RunId) -> bool {
        let address = self.input(run).await;
        match self.runtime.content(run, address).await {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.code(), "content_erased");
                true
            }
        }
    }

    async fn erase(&self, what: Erasure) -> Erased {
        self.runtime.erase(what).await.unwrap()
    }
}

fn shown(leaf: &LeafProof, field: FieldId) -> Option<String> {
    let opening = leaf
        .disclosed
        .iter()
        .find(|opening| opening.field == field)?;
    Some(String::from_utf8_lossy(&opening.value).into_owned())
}

fn erased(leaf: &LeafProof) -> Vec<FieldId> {
    leaf.erased.clone()
}

/// The files of the store that hold these bytes.
fn holding(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap();
    let mut found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    found.retain(|file| {
        if file.is_dir() {
            return false;
        }
        let text = fs::read(file).unwrap();
        text.windows(bytes.len()).any(|window| window == bytes)
    });
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_leaves_no_copy_in_any_file() {
    for durability in [Durability::Full, Durability::Relaxed] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agents.db");
        let world = World::open(&file, durability);
        // Beside others, so that its bytes share pages with theirs; and longer than a page.
        let long = "a long secret. ".repeat(400);
        let mut secret = Vec::new();
        for number in 0..20 {
            world.say("other", None, &format!("other {number}")).await;
            let text = format!("secret {number} {long}");
            secret.push(world.say("s", None, &text[..30 + number * 290]).await);
        }
        let other = world.say("other", None, "last").await;
        let subject = Subject::session(&"s".into());
        let key = *world.keys.subject_key(&subject).await.unwrap().expose();
        let mut traces = vec![key.to_vec()];
        for run in &secret {
            let envelope = world.envelope(world.input(*run).await).await.unwrap();
            // A part of the middle: a page may end anywhere.
            traces.push(envelope[12..42].to_vec());
            let openings = world.store.leaves(*run).await.unwrap()[0].0.openings;
            traces.push(world.envelope(openings).await.unwrap()[12..42].to_vec());
        }
        for trace in &traces {
            assert!(!holding(directory.path(), trace).is_empty());
        }

        let result = world.erase(Erasure::Session("s".into())).await;
        assert_eq!((result.runs, result.keys), (20, 1));
        for trace in &traces {
            assert_eq!(holding(directory.path(), trace), Vec::<PathBuf>::new());
        }
        for run in &secret {
            assert!(world.is_erased(*run).await);
            let leaf = world.leaf(*run).await;
            assert!(leaf.disclosed.is_empty() && leaf.erased.len() >= 9);
        }
        let kept = world.leaf(other).await;
        assert_eq!(shown(&kept, FieldId::PROMPT).as_deref(), Some("last"));
        assert!(kept.erased.is_empty());
        let again = world.erase(Erasure::Session("s".into())).await;
        assert_eq!(again.keys, 0);
        world.runtime.close().await.unwrap();

        // Opening again neither brings it back nor takes more.
        let world = World::open(&file, durability);
        for trace in &traces {
            assert!(holding(directory.path(), trace).is_empty());
        }
        assert!(!world.is_erased(other).await);
        world.runtime.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_goes_on_and_the_model_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    for world in [World::memory(), World::open(&file, Durability::Relaxed)] {
        let first = world.say("s", None, "the secret").await;
        world.erase(Erasure::Session("s".into())).await;
        assert!(world.is_erased(first).await);
        assert_eq!(world.runtime.run_record(first).await.unwrap().run, first);
        let second = world.say("s", None, "and now?").await;
        let sent = world.model.requests()[1].messages.clone();
        let sent: Vec<String> = sent.iter().map(|message| message.joined_text()).collect();
        assert_eq!(sent, ["[erased]", "[erased]", "and now?"]);
        assert!(!world.is_erased(second).await);
        let leaf = world.leaf(second).await;
        assert_eq!(shown(&leaf, FieldId::PROMPT).as_deref(), Some("and now?"));
        assert_eq!(world.leaf(first).await.disclosed, []);
        world.runtime.close().await.unwrap();
    }
    // The list does not destroy the later key of the same session.
    let world = World::open(&file, Durability::Relaxed);
    let runs = world.runtime.runs(Default::default()).await.unwrap();
    assert!(!world.is_erased(runs[0].run).await);
    assert!(world.is_erased(runs[1].run).await);
}

#[tokio::test]
async fn a_user_is_erased_in_every_session_and_a_run_or_session_of_theirs_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    for world in [World::memory(), World::open(&file, Durability::Full)] {
        let user = Some("ada");
        let one = world.say("a", user, "first").await;
        let two = world.say("a", user, "same words").await;
        let three = world.say("b", user, "same words").await;
        let other = world.say("c", Some("bob"), "bob's").await;
        world.erase(Erasure::Run(one)).await;
        assert!(world.is_erased(one).await);
        assert!(!world.is_erased(two).await);
        assert!(world.leaf(one).await.disclosed.is_empty());
        // Words that another session said as well stay for it; what proves them here does not.
        let result = world.erase(Erasure::Session("a".into())).await;
        assert_eq!((result.runs, result.keys), (2, 0));
        assert!(!world.is_erased(three).await);
        assert!(world.leaf(two).await.disclosed.is_empty());
        assert!(world.leaf(three).await.erased.is_empty());
        let result = world.erase(Erasure::User("ada".into())).await;
        assert_eq!((result.runs, result.keys), (3, 1));
        for run in [one, two, three] {
            assert!(world.is_erased(run).await);
        }
        assert!(!world.is_erased(other).await);
        assert_eq!(
            world.erase(Erasure::User("nobody".into())).await,
            Erased::default()
        );
        let unknown = world.runtime.erase(Erasure::Run(RunId([7; 16]))).await;
        assert_eq!(unknown.unwrap_err().code(), "run_unknown");
    }
}

/// Every salt that fits a guess, in whatever can be read with the store and the keys.
async fn guesses(world: &World, run: RunId, field: FieldId) -> Vec<&'static str> {
    let leaf = world.store.leaves(run).await.unwrap()[0].0.clone();
    let commitments = nfa_proof::Leaf::decode(&leaf.leaf).unwrap();
    let commitment = commitments
        .fields()
        .iter()
        .find(|known| known.field == field);
    let commitment = commitment.unwrap().commitment;
    let record = world.runtime.run_record(run).await.unwrap();
    let key = world.keys.subject_key(&record.subject).await.unwrap();
    let sealing = match world.store.capabilities().at_rest {
        true => Sealing::Encrypted,
        false => Sealing::Plain,
    };
    let vault = SubjectVault::new(&key, sealing);
    let mut readable = leaf.leaf.to_vec();
    for address in [leaf.openings, world.input(run).await] {
        if let Some(envelope) = world.envelope(address).await {
            readable.extend(vault.open(&address, &envelope.into()).unwrap());
        }
    }
    let fits = |guess: &str| {
        readable
            .windows(32)
            .any(|salt| commit(field, salt.try_into().unwrap(), guess.as_bytes()) == commitment)
    };
    ["yes", "no"]
        .into_iter()
        .filter(|guess| fits(guess))
        .collect()
}

#[tokio::test]
async fn a_field_without_its_salt_cannot_be_guessed_and_the_others_still_hold() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    for world in [World::memory(), World::open(&file, Durability::Full)] {
        let run = world.say("s", None, "yes").await;
        let before = world.leaf(run).await;
        let entry = world.runtime.receipt(run).await.unwrap().leaves[0].entry;
        assert_eq!(guesses(&world, run, FieldId::PROMPT).await, ["yes"]);
        let field = |field| Erasure::Field { run, entry, field };
        let result = world.erase(field(FieldId::PROMPT)).await;
        assert_eq!((result.keys, result.blobs), (0, 2));
        assert_eq!(guesses(&world, run, FieldId::PROMPT).await, [""; 0]);
        assert!(world.is_erased(run).await);
        let leaf = world.leaf(run).await;
        assert_eq!(erased(&leaf), [FieldId::PROMPT]);
        let mut others = before.disclosed.clone();
        others.retain(|opening| opening.field != FieldId::PROMPT);
        assert_eq!(leaf.disclosed, others);
        // Again is nothing new; another is one more.
        assert_eq!(world.erase(field(FieldId::PROMPT)).await, Erased::default());
        world.erase(field(FieldId::RESPONSE)).await;
        assert_eq!(
            erased(&world.leaf(run).await),
            [FieldId::PROMPT, FieldId::RESPONSE]
        );
        let unknown = world.runtime.erase(field(FieldId::TIER)).await;
        assert_eq!(unknown.unwrap_err().code(), "field_unknown");
    }
}

#[tokio::test]
async fn content_stays_until_the_last_field_that_needs_it_is_erased() {
    let world = World::memory();
    let one = world.say("s", None, "the same").await;
    let two = world.say("s", None, "the same").await;
    let entry = world.runtime.receipt(one).await.unwrap().leaves[0].entry;
    let prompt = |run| Erasure::Field {
        run,
        entry,
        field: FieldId::PROMPT,
    };
    let result = world.erase(prompt(one)).await;
    assert_eq!(result.kept_for, [(two, entry, FieldId::PROMPT)]);
    assert_eq!(erased(&world.leaf(one).await), [FieldId::PROMPT]);
    assert_eq!(
        shown(&world.leaf(two).await, FieldId::PROMPT).as_deref(),
        Some("the same")
    );
    assert!(!world.is_erased(one).await);
    assert_eq!(world.erase(prompt(two)).await.kept_for, []);
    assert!(world.is_erased(one).await && world.is_erased(two).await);
}

#[tokio::test]
async fn a_run_that_is_driven_is_not_erased() {
    let world = World::memory();
    let run = world.say("s", None, "text").await;
    world.store.claim(run, "another", 60_000).await.unwrap();
    let refused = world.runtime.erase(Erasure::Session("s".into())).await;
    assert_eq!(refused.unwrap_err().code(), "erasure_busy");
    assert!(!world.is_erased(run).await);
}

#[tokio::test]
async fn a_backup_that_is_put_back_is_erased_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let beside = directory.path().join("agents.db.keys");
    let backup = directory.path().join("backup");
    fs::create_dir(&backup).unwrap();
    let world = World::open(&file, Durability::Full);
    let gone = world.say("s", None, "session's").await;
    let one = world.say("a", Some("ada"), "first of ada").await;
    let two = world.say("a", Some("ada"), "second of ada").await;
    let three = world.say("b", Some("ada"), "third of ada").await;
    let other = world.say("other", None, "other's").await;
    let entry = world.runtime.receipt(two).await.unwrap().leaves[0].entry;
    let key = *world
        .keys
        .subject_key(&Subject::session(&"s".into()))
        .await
        .unwrap()
        .expose();
    let envelope = world.envelope(world.input(one).await).await.unwrap();
    world.runtime.close().await.unwrap();
    drop(world);
    fs::copy(&file, backup.join("db")).unwrap();
    fs::copy(&beside, backup.join("keys")).unwrap();

    let world = World::open(&file, Durability::Full);
    world.erase(Erasure::Session("s".into())).await;
    world.erase(Erasure::Run(one)).await;
    world
        .erase(Erasure::Field {
            run: two,
            entry,
            field: FieldId::PROMPT,
        })
        .await;
    world
        .erase(Erasure::Field {
            run: two,
            entry,
            field: FieldId::MODEL,
        })
        .await;
    world.runtime.close().await.unwrap();
    drop(world);

    for keys_too in [false, true] {
        fs::copy(backup.join("db"), &file).unwrap();
        if keys_too {
            fs::copy(backup.join("keys"), &beside).unwrap();
            assert!(
                !fs::read(&beside)
                    .unwrap()
                    .windows(32)
                    .all(|bytes| bytes != key)
            );
        }
        let world = World::open(&file, Durability::Full);
        for file in [&file, &beside] {
            let bytes = fs::read(file).unwrap();
            assert!(bytes.windows(32).all(|window| window != key));
            assert!(bytes.windows(30).all(|window| window != &envelope[12..42]));
        }
        for run in [gone, one, two] {
            assert!(world.is_erased(run).await);
        }
        assert!(world.leaf(gone).await.disclosed.is_empty());
        assert!(world.leaf(one).await.disclosed.is_empty());
        let leaf = world.leaf(two).await;
        assert_eq!(erased(&leaf), [FieldId::PROMPT, FieldId::MODEL]);
        assert_eq!(
            shown(&leaf, FieldId::RESPONSE).as_deref(),
            Some("certainly")
        );
        for run in [three, other] {
            assert!(world.leaf(run).await.erased.is_empty());
        }
        world.runtime.close().await.unwrap();
        drop(world);
    }
    // Without the list the backup is readable: it is the list that erases again.
    fs::remove_file(directory.path().join("agents.db.erased")).unwrap();
    fs::copy(backup.join("db"), &file).unwrap();
    let world = World::open(&file, Durability::Full);
    assert!(!world.is_erased(one).await);
}

#[tokio::test]
async fn an_erasure_that_a_crash_interrupts_is_completed_when_the_store_is_opened() {
    for steps in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agents.db");
        let world = World::open(&file, Durability::Full);
        let id = SessionId::from("s");
        let run = world.say("s", None, "text").await;
        let subject = Subject::session(&id);
        let input = world.input(run).await;
        let envelope = world.envelope(input).await.unwrap();
        let key = world.keys.subject_key(&subject).await.unwrap();
        let record = ErasureRecord {
            id: "1".into(),
            keys: vec![ErasedKey {
                subject: subject.clone(),
                key: SubjectVault::new(&key, Sealing::Encrypted).key_id(),
            }],
            blobs: vec![input],
            ..ErasureRecord::default()
        };
        // What a killed process leaves behind, after each step.
        if steps > 0 {
            world.store.note_erasure(record).await.unwrap();
        }
        if steps > 1 {
            world.keys.destroy_subject_key(&subject).await.unwrap();
        }
        let left = directory.path().join("left");
        copy_files(directory.path(), &left);
        assert!(!holding(&left, &envelope[12..42]).is_empty());
        let world = World::open(&left.join("agents.db"), Durability::Full);
        assert_eq!(world.is_erased(run).await, steps > 0);
        assert_eq!(holding(&left, &envelope[12..42]).is_empty(), steps > 0);
        assert_eq!(holding(&left, key.expose()).is_empty(), steps > 0);
    }
}

struct Look(ToolSpec);

impl Tool for Look {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn call<'a>(
        &'a self,
        _: &'a CallContext,
        _: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async { Ok(ToolOutput::new(json!("what was found"))) })
    }
}

fn looking(world: &World, approval: Approval) -> (Agent, Arc<ScriptedModel>) {
    let turns = [
        Turn::call("look", "{}"),
        Turn::text("seen"),
        Turn::text("next"),
        Turn::text("last"),
    ];
    let model = Arc::new(ScriptedModel::new(turns));
    let spec = ToolSpec::new("look", "", json!({ "type": "object" }))
        .with_effect(Effect::Pure)
        .with_approval(approval);
    let agent = Agent::builder("looker")
        .model(model.clone())
        .tool(Look(spec))
        .build()
        .unwrap();
    world.runtime.register(&agent).unwrap();
    (agent, model)
}

/// What the model was sent: role, text, and the calls and results that must pair.
fn sent(model: &ScriptedModel, request: usize) -> Vec<String> {
    let messages = &model.requests()[request].messages;
    let parts = messages.iter().flat_map(|message| {
        let parts = serde_json::to_value(&message.parts).unwrap();
        let parts = parts.as_array().unwrap().clone();
        let texts = parts.into_iter().map(|part| {
            let kind = part["type"].as_str().unwrap_or("?").to_owned();
            let text = part["text"].as_str().unwrap_or("").to_owned();
            format!("{kind} {text}").trim().to_owned()
        });
        texts.collect::<Vec<_>>()
    });
    parts.collect()
}

#[tokio::test]
async fn calls_and_results_still_pair_in_a_session_that_lost_content() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    for world in [World::memory(), World::open(&file, Durability::Full)] {
        let (agent, model) = looking(&world, Approval::Never);
        let ask = |text: &'static str| world.runtime.run(&agent, text).session("s");
        let first = ask("look!").outcome().await.unwrap().run();
        // The result is the tool call's output and the next interaction's prompt.
        let leaves = world.store.leaves(first).await.unwrap();
        let of = |wanted: LeafKind, nth: usize| {
            let kind = |leaf: &[u8]| Leaf::decode(leaf).unwrap().header().kind;
            let mut found = leaves
                .iter()
                .filter(|(draft, _)| kind(&draft.leaf) == wanted);
            found.nth(nth).unwrap().0.entry
        };
        let field = |entry, field| Erasure::Field {
            run: first,
            entry,
            field,
        };
        let output = field(of(LeafKind::ToolCall, 0), FieldId::OUTPUT);
        let kept = world.erase(output).await.kept_for;
        let prompt = of(LeafKind::Interaction, 1);
        assert_eq!(kept, [(first, prompt, FieldId::PROMPT)]);
        world.erase(field(prompt, FieldId::PROMPT)).await;
        ask("more").outcome().await.unwrap();
        assert_eq!(
            sent(&model, 2),
            [
                "text look!",
                "tool_call",
                "tool_result [erased]",
                "text seen",
                "text more"
            ]
        );
        // An answer that is gone takes its calls and their results along.
        world.erase(Erasure::Run(first)).await;
        ask("again").outcome().await.unwrap();
        assert_eq!(
            sent(&model, 3),
            [
                "text [erased]",
                "text [erased]",
                "text [erased]",
                "text more",
                "text next",
                "text again"
            ]
        );
    }
}

#[tokio::test]
async fn a_waiting_run_that_lost_its_content_is_listed_and_ends_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    for world in [World::memory(), World::open(&file, Durability::Full)] {
        let (agent, model) = looking(&world, Approval::Always);
        let run = world.runtime.run(&agent, "look!");
        let outcome = run.outcome().await.unwrap();
        assert_eq!(outcome.status(), OutcomeStatus::Waiting);
        let (run, step) = (outcome.run(), outcome.asks()[0].step.clone());
        assert_eq!(world.erase(Erasure::Run(run)).await.keys, 1);
        assert!(world.is_erased(run).await);
        assert_eq!(
            world.runtime.runs(Default::default()).await.unwrap()[0].run,
            run
        );
        world.runtime.approve(run, step).await.unwrap();
        let resumed = world.runtime.resume(run).await;
        let code = match resumed {
            Err(error) => error.code().to_owned(),
            Ok(mut handle) => {
                let outcome = handle.outcome().await.unwrap();
                assert_eq!(outcome.status(), OutcomeStatus::Failed);
                outcome.error().unwrap().code().to_owned()
            }
        };
        assert_eq!(code, "content_erased");
        assert_eq!(model.calls(), 1);
    }
}

#[tokio::test]
async fn a_log_that_a_reader_kept_is_emptied_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let options = Options {
        patience: std::time::Duration::from_millis(50),
        ..Options::with_durability(Durability::Full)
    };
    let store = SqliteStore::open(&file, options).unwrap();
    let keys = store.keys();
    let world = World::new(Arc::new(store), keys);
    let run = world.say("s", None, "text").await;
    let envelope = world.envelope(world.input(run).await).await.unwrap();
    let trace = &envelope[12..42];
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM runs")
        .unwrap();
    let kept = world.runtime.erase(Erasure::Session("s".into())).await;
    assert_eq!(kept.unwrap_err().code(), "store_busy");
    assert!(world.is_erased(run).await);
    let left = directory.path().join("left");
    copy_files(directory.path(), &left);
    assert!(!holding(&left, trace).is_empty());
    let reopened = World::open(&left.join("agents.db"), Durability::Full);
    assert!(holding(&left, trace).is_empty());
    assert!(reopened.is_erased(run).await);
    // Erasing again does it too, once nobody reads.
    reader.execute_batch("COMMIT").unwrap();
    assert!(!holding(directory.path(), trace).is_empty());
    world.erase(Erasure::Session("s".into())).await;
    assert!(holding(directory.path(), trace).is_empty());
}

/// What a killed process leaves behind.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.to_string_lossy().ends_with("-shm") {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
