//! What goes into a program and what comes out of it.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const CHUNK: usize = 8 * 1024;

/// Why a program's output is not there.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It wrote more than it may.
    TooLong,
    Io(io::Error),
}

/// Writes everything, unless the program stops listening: it may not care for its input.
pub(crate) async fn feed(pipe: Option<impl AsyncWrite + Unpin>, bytes: &[u8]) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let written = async {
        pipe.write_all(bytes).await?;
        pipe.shutdown().await
    };
    match written.await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Reads all, when it is at most `limit` bytes.
pub(crate) async fn read_all(
    pipe: Option<impl AsyncRead + Unpin>,
    limit: u64,
) -> Result<Vec<u8>, ReadError> {
    let Some(pipe) = pipe else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::new();
    // One more than allowed tells too much from just enough.
    pipe.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .await
        .map_err(ReadError::Io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(ReadError::TooLong);
    }
    Ok(bytes)
}

/// Reads all and keeps the last `limit` bytes, where programs say why they failed.
pub(crate) async fn read_tail(
    pipe: Option<impl AsyncRead + Unpin>,
    limit: usize,
) -> Result<Tail, ReadError> {
    let mut tail = Tail::default();
    let Some(mut pipe) = pipe else {
        return Ok(tail);
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = pipe.read(&mut chunk).await.map_err(ReadError::Io)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(tail);
        };
        tail.kept.extend(read);
        let surplus = tail.kept.len().saturating_sub(limit);
        tail.cut |= surplus > 0;
        tail.kept.drain(..surplus);
    }
}

/// The end of what a program wrote.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    kept: VecDeque<u8>,
    cut: bool,
}

impl Tail {
    /// As text, marked when its start is missing.
    pub(crate) fn text(self) -> String {
        let bytes = Vec::from(self.kept);
        let text = String::from_utf8_lossy(&bytes);
        let text = if self.cut {
            // A cut through a character leaves its rest.
            text.trim_start_matches('\u{fffd}')
        } else {
            &text
        };
        let mark = if self.cut { "…" } else { "" };
        format!("{mark}{}", text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    proptest! {
        #[test]
        fn output_is_whole_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), limit in 0_u64..200) {
            let read = now(read_all(Some(&bytes[..]), limit));
            if bytes.len() as u64 <= limit {
                prop_assert_eq!(read.unwrap(), bytes);
            } else {
                prop_assert!(matches!(read, Err(ReadError::TooLong)));
            }
        }

        #[test]
        fn a_tail_is_the_end(text in "\\PC{0,200}", limit in 0_usize..200) {
            let tail = now(read_tail(Some(text.as_bytes()), limit)).unwrap().text();
            if text.len() <= limit {
                prop_assert_eq!(tail, text.trim_end());
            } else {
                let end = tail.strip_prefix('…').unwrap();
                prop_assert!(end.len() <= limit);
                prop_assert!(text.trim_end().ends_with(end));
            }
        }
    }
}
