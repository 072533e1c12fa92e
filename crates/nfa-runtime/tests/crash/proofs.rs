//! The proof logs after the kills: everything recorded once, in order, under a signed checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use nfa_runtime::Runtime;
use nfa_runtime::engine::Fact;
use nfa_runtime::proof::{
    Bundle, Checkpoint, Frontier, HasherKind, Leaf, LeafKind, Note, Sha256, VerifierKey,
    VerifyPolicy,
};

use crate::journals::Journals;

pub(crate) async fn every_turn_and_call_is_proved(runtime: &Runtime, journals: &Journals) {
    let mut logs = BTreeMap::new();
    for agent in ["main", "helper", "worker"] {
        let info = runtime.log_info(agent).await.unwrap();
        logs.insert(info.log, (agent, info));
    }
    let mut indices: BTreeMap<_, BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    let mut sequences: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for (run, told) in &journals.0 {
        runtime.checkpointed(*run).await.unwrap();
        let mut recorded = BTreeSet::new();
        let mut of_run: BTreeMap<_, usize> = BTreeMap::new();
        for (draft, index) in runtime.store().leaves(*run).await.unwrap() {
            let leaf = Leaf::decode(&draft.leaf).unwrap();
            let header = leaf.header();
            let of_session = sequences.entry((draft.log, header.session)).or_default();
            of_session.push(header.sequence);
            let index = index.unwrap_or_else(|| panic!("run {run} has a leaf without an index"));
            let other = indices
                .entry(draft.log)
                .or_default()
                .insert(index, draft.leaf.to_vec());
            assert_eq!(other, None, "two leaves at {index} of log {}", draft.log);
            let new = recorded.insert((draft.entry, header.kind == LeafKind::Interaction));
            assert!(new, "entry {} of run {run} is recorded twice", draft.entry);
            *of_run.entry(draft.log).or_default() += 1;
        }
        for entry in &told.entries {
            if matches!(entry.fact, Fact::ModelFinished { .. }) {
                assert!(
                    recorded.contains(&(entry.seq, true)),
                    "run {run} has no leaf of the answer in entry {}",
                    entry.seq
                );
            }
        }
        for (log, count) in of_run {
            let (agent, info) = &logs[&log];
            let bundle = runtime
                .proof(*run, Some(*agent))
                .await
                .unwrap()
                .to_vec()
                .unwrap();
            let bundle = Bundle::from_slice(&bundle).unwrap();
            assert_eq!(
                bundle.leaves().len(),
                count,
                "run {run} in the log of {agent}"
            );
            let key = VerifierKey::parse(&info.verifier_key).unwrap();
            let verified = bundle.verify(&VerifyPolicy::new([key]));
            assert!(verified.is_ok(), "run {run}: {verified:?}");
        }
    }
    for ((log, _), mut numbers) in sequences {
        numbers.sort_unstable();
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(
            numbers, expected,
            "a session's leaves in log {log} have gaps"
        );
    }
    for (log, (agent, _)) in &logs {
        let info = runtime.log_info(agent).await.unwrap();
        let leaves = indices.get_mut(log).unwrap();
        let own = runtime.store().log_leaves(*log, 0, 1000).await.unwrap();
        assert!(!own.is_empty(), "log {log} does not tell of its agent");
        for (draft, index) in own {
            let other = leaves.insert(index.unwrap(), draft.leaf.to_vec());
            assert_eq!(other, None, "two leaves at one index of log {log}");
        }
        assert!(
            leaves.keys().copied().eq(0..info.size),
            "log {log} of {agent} has leaves that nobody knows"
        );
        let mut tree = Frontier::<Sha256>::from_peaks(0, Vec::new()).unwrap();
        for leaf in leaves.values() {
            tree.append(HasherKind::Sha256.leaf(leaf), |_| {}).unwrap();
        }
        let note = Note::parse(info.checkpoint.unwrap().as_bytes()).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!(checkpoint.size(), info.size);
        assert_eq!(*checkpoint.root(), tree.root(), "log {log} of {agent}");
    }
}
