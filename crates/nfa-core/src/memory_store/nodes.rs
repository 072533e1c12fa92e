//! Nodes of a log's tree: a list a level, since a level grows from its left.

use std::collections::HashMap;

use super::shelf::Shelf;

/// Nodes by level and index.
#[derive(Default)]
pub(super) struct Nodes {
    levels: Vec<Shelf<[u8; 32]>>,
    /// What came out of order.
    others: HashMap<(u8, u64), [u8; 32]>,
}

impl Nodes {
    pub(super) fn insert(&mut self, level: u8, index: u64, hash: [u8; 32]) {
        let at = usize::from(level);
        while self.levels.len() <= at {
            self.levels.push(Shelf::default());
        }
        let shelf = self.levels.get_mut(at);
        let length = shelf.as_ref().map_or(0, |shelf| shelf.len() as u64);
        match shelf {
            Some(shelf) if index == length => shelf.push(hash),
            Some(shelf) if index < length => {
                let old = usize::try_from(index).ok().and_then(|at| shelf.get_mut(at));
                if let Some(old) = old {
                    *old = hash;
                }
            }
            _ => {
                self.others.insert((level, index), hash);
            }
        }
    }

    pub(super) fn get(&self, level: u8, index: u64) -> Option<[u8; 32]> {
        let shelf = self.levels.get(usize::from(level));
        shelf
            .and_then(|shelf| shelf.get(usize::try_from(index).ok()?))
            .or_else(|| self.others.get(&(level, index)))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_in_whatever_order_they_came() {
        let mut nodes = Nodes::default();
        for (level, index, hash) in [(0, 0, 1), (2, 3, 2), (0, 1, 3), (0, 0, 4), (2, 0, 5)] {
            nodes.insert(level, index, [hash; 32]);
        }
        for (level, index, hash) in [(0, 0, 4), (0, 1, 3), (2, 3, 2), (2, 0, 5)] {
            assert_eq!(nodes.get(level, index), Some([hash; 32]));
        }
        assert_eq!(nodes.get(0, 2), None);
        assert_eq!(nodes.get(9, 0), None);
    }
}
