//! How a batch of any size becomes requests.

/// `texts` in their order, in pieces of at most `most` texts with at most `bytes` bytes together; a text that is
/// larger goes alone.
pub(super) fn split<'a, 'b>(
    texts: &'a [&'b str],
    most: usize,
    bytes: usize,
) -> impl Iterator<Item = &'a [&'b str]> {
    let mut rest = texts;
    std::iter::from_fn(move || {
        let mut size = 0_usize;
        let fits = rest
            .iter()
            .take(most)
            .take_while(|text| {
                size = size.saturating_add(text.len());
                size <= bytes
            })
            .count();
        let (batch, tail) = rest.split_at_checked(fits.max(1))?;
        rest = tail;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn count_and_bytes_both_split_and_a_large_text_goes_alone() {
        let texts = ["a", "b", "c", "dddd", "eeeeeeeeee", "f"];
        let sizes = |most, bytes| {
            split(&texts, most, bytes)
                .map(<[_]>::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(2, 100), [2, 2, 2]);
        assert_eq!(sizes(100, 5), [3, 1, 1, 1]);
        assert_eq!(sizes(100, 100), [6]);
        assert_eq!(sizes(1, 0), [1; 6]);
        assert_eq!(split(&[], 1, 1).count(), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_limit_passed(
            texts in prop::collection::vec("[a-z]{0,9}", 0..30), most in 1_usize..9, bytes in 0_usize..40,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let batches: Vec<_> = split(&texts, most, bytes).collect();
            prop_assert_eq!(batches.concat(), &*texts);
            for batch in batches {
                let size: usize = batch.iter().map(|text| text.len()).sum();
                prop_assert!(batch.len() <= most && (size <= bytes || batch.len() == 1));
            }
        }
    }
}
