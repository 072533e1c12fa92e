//! One small log, the same in every test and in the vectors. Salts and seeds are fixed here, and
//! only here: a real log draws them.

use nfa_proof::*;

pub(crate) const ORIGIN: &str = "example.org/agents/helper";
pub(crate) const TIME: u64 = 1_767_225_600;

pub(crate) fn log_key() -> Signer {
    Signer::from_seed(ORIGIN, &[9; 32]).unwrap()
}

pub(crate) fn witness(number: u8) -> CosignatureSigner {
    CosignatureSigner::from_seed(&format!("witness{number}.example.net"), &[100 + number; 32])
        .unwrap()
}

pub(crate) fn salt(number: u8) -> [u8; 32] {
    std::array::from_fn(|i| number.wrapping_mul(31).wrapping_add(i as u8))
}

pub(crate) fn header(kind: LeafKind, sequence: u64, parent: Option<Hash>) -> LeafHeader {
    LeafHeader {
        kind,
        agent: [0xa1; 16],
        session: [0xb2; 16],
        run: [0xc3; 16],
        sequence,
        time_ms: TIME * 1000 + sequence * 250,
        parent,
    }
}

pub(crate) fn leaf(header: LeafHeader, openings: &[Opening]) -> Leaf {
    Leaf::new(header, openings.iter().map(Opening::commitment).collect()).unwrap()
}

/// What the model was sent: two parts, then an answer, a call's result.
pub(crate) fn context() -> ContextDisclosure {
    let part = |step, part, number, value: &str| ContextPart {
        step,
        part,
        salt: salt(number),
        value: value.into(),
    };
    let parts = vec![
        part(
            0,
            0,
            200,
            r#"{"role":"system","content":"Answer briefly."}"#,
        ),
        part(0, 1, 201, r#"{"role":"user","content":"What is 2 + 40?"}"#),
        part(1, 0, 202, r#"{"role":"assistant","content":""}"#),
        part(1, 1, 203, r#"{"role":"tool","content":"42"}"#),
    ];
    let commitment = |part: &ContextPart| commit(FieldId::CONTEXT_PART, &part.salt, &part.value);
    let steps = vec![
        parts[..2].iter().map(commitment).collect(),
        parts[2..].iter().map(commitment).collect(),
    ];
    ContextDisclosure {
        start: CONTEXT_START,
        steps,
        parts,
    }
}

pub(crate) fn context_head() -> Hash {
    context()
        .steps
        .iter()
        .fold(CONTEXT_START, |head, step| extend_context(&head, step))
}

/// An interaction that asks for a tool, the tool's call, and the interaction that answers.
pub(crate) fn run() -> Vec<(Leaf, Vec<Opening>)> {
    let asked = vec![
        Opening::new(FieldId::PROMPT, salt(1), "What is 2 + 40?"),
        Opening::new(FieldId::RESPONSE, salt(2), ""),
        Opening::new(FieldId::MODEL, salt(3), "openai/gpt-5-mini"),
        Opening::new(FieldId::TOOLS, salt(4), r#"[{"name":"add"}]"#),
        Opening::new(FieldId::USER, salt(5), "user-7"),
    ];
    let first = leaf(header(LeafKind::Interaction, 0, None), &asked);
    let called = vec![
        Opening::new(FieldId::TOOL, salt(6), "add"),
        Opening::new(FieldId::ARGUMENTS, salt(7), r#"{"a":2,"b":40}"#),
        Opening::new(FieldId::OUTPUT, salt(8), "42"),
        Opening::new(FieldId::SUCCESS, salt(9), "true"),
    ];
    let call = leaf(header(LeafKind::ToolCall, 1, Some(first.id())), &called);
    let answered = vec![
        Opening::new(FieldId::PROMPT, salt(10), "What is 2 + 40?"),
        Opening::new(FieldId::RESPONSE, salt(11), "It is 42 \u{2014} exactly."),
        Opening::new(FieldId::CONTEXT, salt(12), context_head()),
        Opening::new(FieldId::PROGRAM_HASH, salt(13), [0xd4; 32]),
        Opening::new(FieldId::DURATION, salt(14), "250"),
    ];
    let last = leaf(
        header(LeafKind::Interaction, 2, Some(first.id())),
        &answered,
    );
    vec![(first, asked), (call, called), (last, answered)]
}

/// Thirteen leaves; the run is at 5, 6 and 9.
pub(crate) const PLACES: [u64; 3] = [5, 6, 9];

pub(crate) fn tree<H: Hasher>() -> MemoryTree<H> {
    let mut tree = MemoryTree::new();
    let run = run();
    for index in 0..13 {
        let bytes = match PLACES.iter().position(|place| *place == index) {
            Some(at) => run[at].0.encode(),
            None => {
                let mut other = header(LeafKind::Heartbeat, index, None);
                (other.session, other.run) = ([0; 16], [0; 16]);
                leaf(other, &[]).encode()
            }
        };
        tree.append(H::leaf(&bytes)).unwrap();
    }
    tree
}

pub(crate) fn note<H: Hasher>() -> Note {
    let tree = tree::<H>();
    Checkpoint::new::<H>(ORIGIN, tree.size(), tree.root())
        .unwrap()
        .sign(&log_key())
        .unwrap()
}

pub(crate) fn witnessed() -> Note {
    let mut note = note::<Sha256>();
    for number in 1..=2 {
        let line = witness(number).cosign(&note, TIME + u64::from(number));
        note.add(line).unwrap();
    }
    note
}

/// The run's leaves with everything shown.
pub(crate) fn proofs<H: Hasher>() -> Vec<LeafProof> {
    let tree = tree::<H>();
    let prove = |((leaf, openings), index): ((Leaf, Vec<Opening>), u64)| LeafProof {
        disclosed: openings,
        ..LeafProof::new(
            &leaf,
            index,
            tree.inclusion_proof(index, tree.size()).unwrap(),
        )
    };
    let mut proofs: Vec<LeafProof> = run().into_iter().zip(PLACES).map(prove).collect();
    proofs[2].context = Some(context());
    proofs
}

/// The bundle that is tampered with: everything shown but a user, which is erased, and a model,
/// which is hidden; two witnesses.
pub(crate) fn bundle() -> Bundle {
    let mut proofs = proofs::<Sha256>();
    proofs[0]
        .disclosed
        .retain(|o| o.field != FieldId::USER && o.field != FieldId::MODEL);
    proofs[0].erased = vec![FieldId::USER];
    Bundle::new(witnessed(), proofs).unwrap()
}

pub(crate) fn policy() -> VerifyPolicy {
    let witnesses = [witness(1).verifier_key(), witness(2).verifier_key()];
    VerifyPolicy::new([log_key().verifier_key()]).with_witnesses(witnesses, 2)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}
