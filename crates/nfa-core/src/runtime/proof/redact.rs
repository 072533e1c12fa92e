//! Taking fields out of the openings of a leaf: without its salt no commitment can be opened or guessed at.

use super::openings;
use crate::error::Error;
use crate::ids::Address;

/// Openings without one field.
pub(crate) fn without_field(plain: &[u8], field: u16) -> Result<Vec<u8>, Error> {
    let mut fields = openings::decode(plain)?;
    fields.retain(|opening| opening.field.number() != field);
    Ok(openings::encode(&fields))
}

/// Each field that can be opened, and the content that its value is taken from.
pub(in crate::runtime) fn sources(plain: &[u8]) -> Result<Vec<(u16, Vec<Address>)>, Error> {
    let fields = openings::decode(plain)?;
    let place = |opening: &openings::FieldOpening| {
        (opening.field.number(), opening.source.addresses().to_vec())
    };
    Ok(fields.iter().map(place).collect())
}
