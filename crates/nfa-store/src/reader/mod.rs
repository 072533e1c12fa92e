//! A few threads that read, each over its own connection, so that no async thread waits for a disk.

mod anchors;
mod logs;
mod runs;
mod sessions;

use std::sync::Arc;
use std::thread::JoinHandle;

use nfa_core::Error;
use nfa_core::ports::{BoxFuture, StoreRefusal};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::failure::internal;
use crate::queue::Queue;
use crate::writer::{Desk, Job};

pub(crate) use anchors::*;
pub(crate) use logs::*;
pub(crate) use runs::*;
pub(crate) use sessions::*;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Who answers questions.
#[derive(Clone)]
pub(crate) enum Readers {
    /// Threads of their own.
    Pool(Arc<Queue<Read>>),
    /// The writing thread, for a store in memory that has one connection only.
    Writer(Arc<Desk>),
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn pool(connections: Vec<Connection>) -> Result<(Self, Vec<JoinHandle<()>>), Error> {
        let queue = Arc::new(Queue::<Read>::new());
        let mut threads = Vec::new();
        for connection in connections {
            let reads = queue.clone();
            let thread = std::thread::Builder::new()
                .name("nfa-store-reader".to_owned())
                .spawn(move || {
                    while let Some(read) = reads.next() {
                        read(&connection);
                    }
                })
                .map_err(|error| internal("a thread cannot be started").with_source(error))?;
            threads.push(thread);
        }
        Ok((Self::Pool(queue), threads))
    }

    pub(crate) fn close(&self) {
        if let Self::Pool(queue) = self {
            queue.close();
        }
    }

    /// Asks now, and gives a future of the answer.
    pub(crate) fn ask<'a, T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, Error>> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            // Nobody may wait for the answer any more.
            let _ = reply.send(question(connection));
        });
        let asked = match self {
            Self::Pool(queue) => queue.push(read).map_err(drop),
            Self::Writer(desk) => desk.push(Job::Read(read)).map_err(drop),
        };
        Box::pin(async move {
            match asked {
                Ok(()) => answer
                    .await
                    .unwrap_or_else(|_| Err(StoreRefusal::Closed.into())),
                Err(()) => Err(StoreRefusal::Closed.into()),
            }
        })
    }
}
