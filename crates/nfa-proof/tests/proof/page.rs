//! The page lists what the code has: codes with their category, kinds, fields.

use nfa_proof::*;

const PAGE: &str = include_str!("../../../../docs/proof-of-prompt.md");

#[test]
fn the_page_lists_every_error_code_and_its_category() {
    for code in ErrorCode::ALL {
        let row = format!("| `{code}` | {} |", code.category().as_str());
        assert!(PAGE.contains(&row), "no row {row}");
    }
}

#[test]
fn the_page_lists_every_kind_and_field() {
    for kind in LeafKind::ALL {
        let row = format!("| {} | `{}` |", kind.number(), kind.as_str());
        assert!(PAGE.contains(&row), "no row {row}");
    }
    for field in FieldId::REGISTRY {
        let encoding = field.encoding().as_str();
        let row = format!("| {} | `{field}` | {encoding} |", field.number());
        assert!(PAGE.contains(&row), "no row {row}");
    }
}
