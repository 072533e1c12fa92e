//! The in-memory default: words and pieces of words, hashed into a vector.

use std::collections::BTreeMap;

use super::{Embedded, Embedder, check_texts};
use crate::content::Usage;
use crate::ports::{BoxResult, CallContext};

/// An embedder without a model: it counts words and runs of three characters, each at a place and with a sign
/// that its hash says, and makes the vector one unit long.
///
/// It knows no meaning: texts are near when they share words, or pieces of words. That is enough for tests,
/// demos and small searches without a server, and it is the same on every machine, for ever.
///
/// ```
/// use nfa_core::ports::HashingEmbedder;
///
/// let embedder = HashingEmbedder::new(256);
/// let [cat, cats, tax] = ["The cat sleeps.", "Cats sleep.", "VAT is due"].map(|text| embedder.vector(text));
/// let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
/// assert!(dot(&cat, &cats) > dot(&cat, &tax));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashingEmbedder {
    name: String,
    dimensions: usize,
}

/// Weight of a word against a run of characters of it.
const WORD: i64 = 2;

impl Default for HashingEmbedder {
    /// 256 dimensions.
    fn default() -> Self {
        Self::new(256)
    }
}

impl HashingEmbedder {
    /// An embedder whose vectors have so many numbers (1 at least); few make different texts look alike.
    pub fn new(dimensions: usize) -> Self {
        let dimensions = dimensions.max(1);
        Self {
            name: format!("nfa/hashing-v1-{dimensions}"),
            dimensions,
        }
    }

    /// The vector of one text; of length 1 unless the text is empty.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        let mut counts = BTreeMap::new();
        let lowered = text.to_lowercase();
        let words = lowered.split(|c: char| !c.is_alphanumeric());
        let mut said = false;
        for word in words.filter(|word| !word.is_empty()) {
            said = true;
            self.word(word, &mut counts);
        }
        // A text of nothing but signs is taken as it is.
        if !said {
            for word in lowered.split_whitespace() {
                self.word(word, &mut counts);
            }
        }
        counts.retain(|_, count| *count != 0);
        if counts.is_empty() && !lowered.trim().is_empty() {
            // All that it said cancelled itself out.
            counts.insert(self.place(hash(lowered.as_bytes())), 1);
        }
        // Whole numbers and one square root, which every machine rounds alike.
        let squares: i64 = counts.values().map(|count| count * count).sum();
        let length = (squares as f64).sqrt();
        let mut vector = vec![0.0; self.dimensions];
        for (place, count) in counts {
            if let Some(number) = vector.get_mut(place) {
                *number = (count as f64 / length) as f32;
            }
        }
        vector
    }

    fn word(&self, word: &str, counts: &mut BTreeMap<usize, i64>) {
        let mut add = |feature: &[u8], weight: i64| {
            let hash = hash(feature);
            let sign = if hash >> 63 == 0 { 1 } else { -1 };
            let count: &mut i64 = counts.entry(self.place(hash)).or_default();
            *count = count.saturating_add(sign * weight);
        };
        add(word.as_bytes(), WORD);
        // The ends of a word are told apart from its middle.
        let padded = format!("\u{2}{word}\u{3}");
        let starts: Vec<usize> = padded.char_indices().map(|(at, _)| at).collect();
        for (first, at) in starts.iter().enumerate() {
            let end = starts.get(first + 3).copied().unwrap_or(padded.len());
            if starts.len() - first < 3 {
                break;
            }
            if let Some(run) = padded.get(*at..end) {
                add(run.as_bytes(), 1);
            }
        }
    }

    fn place(&self, hash: u64) -> usize {
        // The remainder is below a usize, so nothing is cut off.
        (hash % self.dimensions as u64) as usize
    }
}

/// FNV-1a with a finish that spreads its bits (Stafford's variant 13).
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

impl Embedder for HashingEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.dimensions)
    }

    fn embed<'a>(
        &'a self,
        _context: &'a CallContext,
        texts: &'a [&'a str],
    ) -> BoxResult<'a, Embedded> {
        Box::pin(async move {
            check_texts(texts)?;
            let vectors: Vec<_> = texts.iter().map(|text| self.vector(text)).collect();
            let model = if vectors.is_empty() { "" } else { &self.name };
            Ok(Embedded::new(vectors, Usage::default(), model))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The vectors are stored: they may never change.
    #[test]
    fn vectors_are_what_they_were() {
        let small = HashingEmbedder::new(8).vector("Hello, Wörld \u{1F600}");
        let expected =
            [-2.0, 0.0, -1.0, 1.0, -2.0, 1.0, 0.0, 3.0].map(|count| count / 20_f32.sqrt());
        for (found, expected) in small.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{small:?}");
        }
    }

    #[test]
    fn what_shares_words_is_nearer() {
        let embedder = HashingEmbedder::default();
        let texts = [
            "Rust values memory safety.",
            "Memory safety is what Rust is about.",
            "The soup is too hot to eat.",
        ];
        let [rust, safety, soup] = texts.map(|text| embedder.vector(text));
        assert!(dot(&rust, &safety) > 0.4);
        assert!(dot(&rust, &soup) < 0.2);
        assert!((dot(&rust, &rust) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn signs_alone_and_one_dimension_have_a_vector_too() {
        for dimensions in [0, 1, 3, 256] {
            let embedder = HashingEmbedder::new(dimensions);
            for text in ["?!", "\u{1F600}", "a", "日本語", "\u{0}", "ΑΣ", "İ"] {
                let vector = embedder.vector(text);
                assert_eq!(vector.len(), dimensions.max(1));
                let length = dot(&vector, &vector);
                assert!(
                    (length - 1.0).abs() < 1e-5,
                    "{text} {dimensions} {vector:?}"
                );
            }
        }
        assert_eq!(HashingEmbedder::new(2).vector(" "), [0.0, 0.0]);
    }
}
