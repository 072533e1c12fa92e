//! Objects of JavaScript, as the engine holds them: numbers in a table of their environment.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What the table may let go of, gathered until JavaScript next looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Released(Arc<Mutex<Vec<u32>>>);

impl Released {
    pub(crate) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, id: u32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id);
    }
}

/// An object in the table of an environment. When the last clone is dropped, the table may let go of it.
#[derive(Clone)]
pub(crate) struct Object(Arc<Held>);

struct Held {
    id: u32,
    released: Released,
}

impl Object {
    pub(crate) fn new(id: u32, released: Released) -> Self {
        Self(Arc::new(Held { id, released }))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Object").field(&self.0.id).finish()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.released.add(self.id);
    }
}
