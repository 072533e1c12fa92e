//! What the log costs, beside its own hashing and beside other crates, in one run:
//! `cargo bench -p nfa-proof`. Each figure is processor time, the best of several rounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that prints a table, and may stop at the first fault"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use nfa_proof::*;

/// About what a leaf of two fields has.
const LEAF_BYTES: usize = 200;
const MILLION: u64 = 1_000_000;

fn leaf(index: u64) -> [u8; LEAF_BYTES] {
    let mut leaf = [0x5a; LEAF_BYTES];
    leaf[..8].copy_from_slice(&index.to_be_bytes());
    leaf
}

/// The time that this thread was on a processor, so that other programs count less.
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The best of some rounds, in nanoseconds for one of `count`.
fn best<T>(rounds: usize, count: u64, mut work: impl FnMut() -> T) -> f64 {
    let round = |_| {
        let start = now();
        black_box(work());
        (now() - start) / count as f64
    };
    (0..rounds).map(round).fold(f64::MAX, f64::min)
}

fn row(what: &str, ns: f64, against: &str, floor: f64) {
    println!("{what:<48} {ns:>11.1} ns   {:>6.2} x {against}", ns / floor);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default()
}

fn grown<H: Hasher>(size: u64) -> MemoryTree<H> {
    let mut tree = MemoryTree::new();
    for index in 0..size {
        tree.append(H::leaf(&leaf(index))).unwrap();
    }
    tree
}

/// As many hashes as a tree of `size` leaves needs, each over the one before it.
fn hashing<H: Hasher>(size: u64) -> Hash {
    let mut last = [0; 32];
    for index in 0..size {
        let hash = H::leaf(&leaf(index));
        last = H::node(&last, &hash);
    }
    last
}

/// What appending costs, against its own hashing and against others.
fn building<H: Hasher>(name: &str, size: u64) {
    let rounds = if size > 100_000 { 7 } else { 25 };
    let (mut floor, mut ours, mut edge) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut ct_merkle, mut rs_merkle) = (f64::MAX, f64::MAX);
    // In turns, so that a busy spell of the machine falls on all.
    for _ in 0..rounds {
        floor = floor.min(best(1, size, || hashing::<H>(size)));
        ours = ours.min(best(1, size, || grown::<H>(size).root()));
        edge = edge.min(best(1, size, || {
            let mut frontier = Frontier::<H>::new();
            for index in 0..size {
                frontier.append(H::leaf(&leaf(index)), |_| ()).unwrap();
            }
            frontier.root()
        }));
        if H::KIND != HasherKind::Sha256 {
            continue;
        }
        ct_merkle = ct_merkle.min(best(1, size, || {
            let mut tree = MemoryBackedTree::<sha2::Sha256, [u8; LEAF_BYTES]>::new();
            for index in 0..size {
                tree.push(leaf(index));
            }
            tree.root()
        }));
        rs_merkle = rs_merkle.min(best(1, size, || {
            let leaves: Vec<Hash> = (0..size).map(|index| Sha256::leaf(&leaf(index))).collect();
            rs_merkle::MerkleTree::<rs_merkle::algorithms::Sha256>::from_leaves(&leaves).root()
        }));
    }
    println!("\n{name}, {size} leaves of {LEAF_BYTES} bytes, for one leaf");
    row(
        "  its own hashing: a leaf and a node",
        floor,
        "hashing",
        floor,
    );
    row("  MemoryTree::append", ours, "hashing", floor);
    row(
        "  Frontier::append, the right edge only",
        edge,
        "hashing",
        floor,
    );
    if H::KIND != HasherKind::Sha256 {
        return;
    }
    row("  ct-merkle push", ct_merkle, "ours", ours);
    row(
        "  rs_merkle from_leaves, all at once",
        rs_merkle,
        "ours",
        ours,
    );
}

fn proving() {
    let tree = grown::<Sha256>(MILLION);
    let mut peer = MemoryBackedTree::<sha2::Sha256, [u8; LEAF_BYTES]>::new();
    for index in 0..MILLION {
        peer.push(leaf(index));
    }
    let root = tree.root();
    let indices: Vec<u64> = (0..1000).map(|n| n * 7919 % MILLION).collect();
    let count = indices.len() as u64;
    let node = best(9, 20_000, || {
        (0..20_000).fold([0; 32], |hash, _| Sha256::node(&hash, &hash))
    });
    let floor = node * 20.0;
    println!("\nproofs at {MILLION} leaves, for one");
    row("  20 node hashes", floor, "20 hashes", floor);
    let prove = |index: &u64| tree.inclusion_proof(*index, MILLION).unwrap();
    let ns = best(9, count, || {
        indices.iter().map(prove).map(|p| p.len()).sum::<usize>()
    });
    row("  inclusion proof, made", ns, "20 hashes", floor);
    let proofs: Vec<(Hash, Vec<Hash>)> = indices
        .iter()
        .map(|index| (Sha256::leaf(&leaf(*index)), prove(index)))
        .collect();
    let ns = best(9, count, || {
        for (index, (leaf, proof)) in indices.iter().zip(&proofs) {
            verify_inclusion::<Sha256>(leaf, *index, MILLION, proof, &root).unwrap();
        }
    });
    row("  inclusion proof, verified", ns, "20 hashes", floor);
    let peer_root = peer.root();
    let ns_peer = best(3, count, || {
        for index in &indices {
            let proof = peer.prove_inclusion(*index as usize);
            peer_root
                .verify_inclusion(&leaf(*index), *index, &proof)
                .unwrap();
        }
    });
    row(
        "  ct-merkle, made and verified with its leaf",
        ns_peer,
        "20 hashes",
        floor,
    );
    let ns = best(9, 1000, || {
        for old in 0..1000 {
            let proof = tree.consistency_proof(old * 997, MILLION).unwrap();
            black_box(proof);
        }
    });
    row("  consistency proof, made", ns, "20 hashes", floor);
    for (what, set) in [
        ("1024 neighbours", (500_000..501_024).collect::<Vec<u64>>()),
        ("1024 anywhere", (0..1024).map(|n| n * 976).collect()),
    ] {
        let leaves: Vec<(u64, Hash)> = set
            .iter()
            .map(|index| (*index, Sha256::leaf(&leaf(*index))))
            .collect();
        let proof = tree.inclusion_multiproof(&set, MILLION).unwrap();
        let ns = best(9, 1024, || {
            verify_inclusion_multiproof::<Sha256>(&leaves, MILLION, &proof, &root).unwrap();
        });
        let what = format!("  multi-proof, {what} ({} hashes)", proof.len());
        row(&what, ns, "20 hashes", floor);
    }
}

/// How large a proof is that somebody sends.
fn sending() {
    let (leaf, openings) = sealing();
    let mut tree = MemoryTree::<Sha256>::new();
    const INDEX: u64 = 123_456;
    for index in 0..MILLION {
        let bytes = match index {
            INDEX => leaf.encode(),
            _ => self::leaf(index).to_vec(),
        };
        tree.append(Sha256::leaf(&bytes)).unwrap();
    }
    let signer = Signer::from_seed("example.org/log", &[9; 32]).unwrap();
    let checkpoint = Checkpoint::new::<Sha256>("example.org/log", MILLION, tree.root()).unwrap();
    let policy = VerifyPolicy::new([signer.verifier_key()]);
    println!("\na bundle of one leaf of {MILLION}, with ten fields of 400 bytes");
    for shown in [0, 1, 2, 10] {
        let proof = LeafProof {
            disclosed: openings.iter().take(shown).cloned().collect(),
            ..LeafProof::new(&leaf, INDEX, tree.inclusion_proof(INDEX, MILLION).unwrap())
        };
        let bundle = Bundle::new(checkpoint.sign(&signer).unwrap(), vec![proof]).unwrap();
        bundle.verify(&policy).unwrap();
        let bytes = bundle.to_vec().unwrap().len();
        println!("  {shown:>2} of them shown                           {bytes:>8} bytes");
    }
}

fn memory() {
    let before = resident();
    let tree = grown::<Sha256>(MILLION);
    let kib = resident().saturating_sub(before);
    println!("\nmemory for {MILLION} leaves");
    println!(
        "  MemoryTree, resident                       {:>8.1} MiB",
        kib as f64 / 1024.0
    );
    let edge = Frontier::<Sha256>::load(MILLION, &tree).unwrap();
    println!(
        "  Frontier, hashes                           {:>8} of 32 bytes",
        edge.peaks().len()
    );
}

/// A leaf of an interaction with ten fields: what sealing adds to a turn.
fn sealing() -> (Leaf, Vec<Opening>) {
    let opening =
        |field| Opening::new(FieldId::new(field).unwrap(), [field as u8; 32], [0x61; 400]);
    let openings: Vec<Opening> = (16..26_u16).map(opening).collect();
    let fields = openings.iter().map(Opening::commitment);
    let header = LeafHeader {
        kind: LeafKind::Interaction,
        agent: [1; 16],
        session: [2; 16],
        run: [3; 16],
        sequence: 7,
        time_ms: 1_767_225_600_000,
        parent: Some([4; 32]),
    };
    let leaf = Leaf::new(header, fields.collect()).unwrap();
    (leaf, openings)
}

fn whole() {
    println!("\nsealing, exporting, auditing");
    let ns = best(9, 1000, || {
        for _ in 0..1000 {
            black_box(Sha256::leaf(&sealing().0.encode()));
        }
    });
    println!(
        "  an interaction of ten fields of 400 bytes  {:>8.2} us",
        ns / 1000.0
    );
    let signer = Signer::from_seed("example.org/log", &[9; 32]).unwrap();
    let opening = Opening::new(FieldId::PROMPT, [5; 32], "x");
    let start = now();
    let mut export = TileExport::<Sha256, _>::new(BTreeMap::new());
    for index in 0..MILLION {
        let header = LeafHeader {
            kind: LeafKind::Interaction,
            agent: [1; 16],
            session: ((index / 50) as u128).to_be_bytes(),
            run: [3; 16],
            sequence: index % 50,
            time_ms: index,
            parent: None,
        };
        let leaf = Leaf::new(header, vec![opening.commitment()]).unwrap();
        export.push(&leaf.encode()).unwrap();
    }
    let checkpoint = Checkpoint::new::<Sha256>("example.org/log", MILLION, export.root()).unwrap();
    let files = export.finish(&checkpoint.sign(&signer).unwrap()).unwrap();
    let seconds = |start: f64| (now() - start) / 1e9;
    println!(
        "  making and exporting {MILLION} leaves         {:>8.2} s",
        seconds(start)
    );
    let start = now();
    let audit = audit(&files, &VerifyPolicy::new([signer.verifier_key()]), &[]).unwrap();
    assert!(audit.holds(), "{audit}");
    println!(
        "  auditing them whole                        {:>8.2} s",
        seconds(start)
    );
    let start = now();
    let reader = TileReader::<Sha256, _>::new(&files, MILLION);
    black_box(Frontier::<Sha256>::load(MILLION, &reader).unwrap());
    println!(
        "  loading their right edge from tiles        {:>8.3} ms",
        seconds(start) * 1e3
    );
}

fn main() {
    // `cargo test --benches` runs this with `--test`: then it is enough that it compiles.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    memory();
    for size in [1_000, 100_000, MILLION] {
        building::<Sha256>("SHA-256", size);
    }
    building::<Blake3>("BLAKE3", MILLION);
    proving();
    sending();
    whole();
}
