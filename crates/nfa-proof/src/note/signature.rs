//! One signature line of a note.

/// One signature line, checked in form only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Whose signature it says it is.
    pub name: String,
    /// Which key of that name.
    pub key_id: [u8; 4],
    /// The signature's bytes; a cosignature has its time in front.
    pub signature: Vec<u8>,
}
