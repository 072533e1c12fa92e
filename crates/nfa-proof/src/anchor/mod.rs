//! Checkpoints on a chain: a tree of them whose root a contract keeps, in the format of
//! OpenZeppelin's `StandardMerkleTree`, so that contracts that are deployed can check a proof.

pub(crate) mod multi;
pub(crate) mod statement;
pub(crate) mod tree;

use sha3::Digest as _;

use crate::tree::Hash;

/// What one leaf of an anchor tree says: the log of this token had this root at this size.
///
/// ```
/// use nfa_proof::*;
/// let leaf = |size, root| AnchorLeaf {
///     chain_id: 56,
///     origin: "example.org/agents/helper".to_owned(),
///     token_id: uint256(578),
///     size,
///     root,
/// };
/// let leaves = [leaf(100, [1; 32]), leaf(200, [2; 32]), leaf(300, [3; 32])];
/// let tree = AnchorTree::new(&leaves)?;
/// let proof = tree.proof(1)?;
/// verify_anchor(&leaves[1].hash(), &proof, &tree.root())?;
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorLeaf {
    /// The chain's EIP-155 number.
    pub chain_id: u64,
    /// Which log.
    pub origin: String,
    /// The token that the log's agent is, as a big-endian `uint256`.
    pub token_id: [u8; 32],
    /// How many leaves the log had.
    pub size: u64,
    /// Its root there.
    pub root: Hash,
}

impl AnchorLeaf {
    /// The leaf's hash: keccak-256 twice over the ABI encoding of `(uint256 chain id, string
    /// origin, uint256 token id, uint256 size, bytes32 root)`, in Solidity
    /// `keccak256(bytes.concat(keccak256(abi.encode(…))))`.
    pub fn hash(&self) -> Hash {
        keccak256(&[&keccak256(&[&self.abi_encode()])])
    }

    fn abi_encode(&self) -> Vec<u8> {
        /// Where the origin is: behind the five words of the head.
        const TAIL: u64 = 5 * 32;
        let origin = self.origin.as_bytes();
        let mut out = Vec::with_capacity(7 * 32 + origin.len());
        out.extend_from_slice(&uint256(self.chain_id));
        out.extend_from_slice(&uint256(TAIL));
        out.extend_from_slice(&self.token_id);
        out.extend_from_slice(&uint256(self.size));
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&uint256(origin.len() as u64));
        out.extend_from_slice(origin);
        out.resize(out.len().next_multiple_of(32), 0);
        out
    }
}

/// A number as a big-endian `uint256`.
pub const fn uint256(value: u64) -> [u8; 32] {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f,
        g, h,
    ]
}

fn keccak256(parts: &[&[u8]]) -> Hash {
    let mut hasher = sha3::Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// An inner node: the smaller child comes first, so that a proof needs no sides.
fn node(a: &Hash, b: &Hash) -> Hash {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    keccak256(&[low, high])
}
