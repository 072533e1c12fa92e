//! A list that grows without moving what it holds, and without much room to spare.

/// Values of a full part.
const PART: usize = 1024;

/// Values by their number.
pub(super) struct Shelf<T> {
    parts: Vec<Vec<T>>,
    length: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            parts: Vec::new(),
            length: 0,
        }
    }
}

impl<T> Shelf<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, value: T) {
        if self.length == self.parts.len() * PART {
            // The first part grows as it must; who has a second has many values.
            let room = if self.length == 0 { 0 } else { PART };
            self.parts.push(Vec::with_capacity(room));
        }
        if let Some(part) = self.parts.last_mut() {
            part.push(value);
        }
        self.length += 1;
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.parts.get(number / PART)?.get(number % PART)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.parts.get_mut(number / PART)?.get_mut(number % PART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_number() {
        let mut shelf = Shelf::default();
        for number in 0..PART * 2 + 1 {
            shelf.push(number);
        }
        *shelf.get_mut(PART).unwrap() = 7;
        assert_eq!(shelf.len(), PART * 2 + 1);
        assert_eq!(shelf.get(PART), Some(&7));
        assert_eq!(shelf.get(PART * 2), Some(&(PART * 2)));
        assert_eq!(shelf.get(PART * 2 + 1), None);
    }
}
