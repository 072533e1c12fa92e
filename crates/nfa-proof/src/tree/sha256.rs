//! SHA-256 of messages like leaves and nodes, whose lengths are known: padded in place and
//! compressed in one go, they cost a sixth to a third less than through the buffer of a hasher
//! for any length.

use sha2::Digest as _;
use sha2::block_api::compress256;

/// The state that SHA-256 begins with (FIPS 180-4 §5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// What padding needs at least: a byte, and the length in bits.
const PADDING: usize = 1 + 8;

/// Of `prefix` and two hashes.
#[inline]
pub(super) fn pair(prefix: u8, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut blocks = [[0; 64]; 2];
    let [first, second] = &mut blocks;
    // Moved on by a byte in registers: read back from memory in other pieces than it was written
    // in, it would hold the processor up.
    let mut carried = u64::from(prefix);
    let (places, _) = first.as_chunks_mut::<8>();
    let (left, _) = left.as_chunks::<8>();
    let (right, _) = right.as_chunks::<8>();
    for (place, bytes) in places.iter_mut().zip(left.iter().chain(right)) {
        let word = u64::from_be_bytes(*bytes);
        *place = (carried << 56 | word >> 8).to_be_bytes();
        carried = word & 0xff;
    }
    second[..8].copy_from_slice(&(carried << 56 | 0x80 << 48).to_be_bytes());
    second[62..].copy_from_slice(&(65_u16 * 8).to_be_bytes());
    compressed(&blocks)
}

/// Of `prefix` and these bytes.
#[inline]
pub(super) fn prefixed(prefix: u8, bytes: &[u8]) -> [u8; 32] {
    // A few fields, or most of what is recorded; longer leaves go the long way.
    let short = short::<4>(prefix, bytes).or_else(|| short::<12>(prefix, bytes));
    short.unwrap_or_else(|| {
        let hasher = sha2::Sha256::new().chain_update([prefix]);
        hasher.chain_update(bytes).finalize().into()
    })
}

/// `None` for a message that is too long for so many blocks.
#[inline]
fn short<const BLOCKS: usize>(prefix: u8, bytes: &[u8]) -> Option<[u8; 32]> {
    if 1 + bytes.len() + PADDING > BLOCKS * 64 {
        return None;
    }
    let mut blocks = [[0; 64]; BLOCKS];
    let used = blocks.get_mut(..(1 + bytes.len() + PADDING).div_ceil(64))?;
    let message = used.as_flattened_mut();
    let (first, message) = message.split_first_mut()?;
    *first = prefix;
    let (content, message) = message.split_at_mut_checked(bytes.len())?;
    content.copy_from_slice(bytes);
    *message.first_mut()? = 0x80;
    let bits = (1 + bytes.len() as u64) * 8;
    *message.last_chunk_mut()? = bits.to_be_bytes();
    Some(compressed(used))
}

fn compressed(blocks: &[[u8; 64]]) -> [u8; 32] {
    let mut state = START;
    compress256(&mut state, blocks);
    let mut hash = [0; 32];
    let (words, _) = hash.as_chunks_mut::<4>();
    for (word, value) in words.iter_mut().zip(state) {
        *word = value.to_be_bytes();
    }
    hash
}
