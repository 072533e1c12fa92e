//! One connection: reads requests, and sends the answers as they are to be sent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::Fault;
use super::{Answer, Asked, Shared};
use crate::server::http::Reader;

pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    // Without it small writes wait for acknowledgements; with an error the socket is gone anyway.
    let _ = stream.set_nodelay(true);
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    while let Some(asked) = request(&mut stream, &mut buffer).await {
        let answer = shared.answer(asked);
        // A client that hung up is none to answer.
        if !matches!(deliver(&mut stream, &answer).await, Ok(true)) {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Asked> {
    let mut reader = Reader::default();
    loop {
        if let Some((head, body)) = reader.read(buffer).ok()? {
            return Some(Asked {
                method: head.method,
                path: head.path,
                headers: head.headers,
                body,
            });
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Whether the connection can take another request.
async fn deliver(stream: &mut TcpStream, answer: &Answer) -> io::Result<bool> {
    if matches!(answer.fault, Some(Fault::Silence)) {
        return until_closed(stream).await;
    }
    stream.write_all(answer.head().as_bytes()).await?;
    match answer.fault {
        None => stream.write_all(&answer.body).await.map(|()| true),
        Some(Fault::Endless) => loop {
            stream.write_all(&answer.body).await?;
        },
        Some(Fault::Drip(pause)) => drip(stream, &answer.body, pause).await,
        Some(Fault::Promises(_)) => stream.write_all(&answer.body).await.map(|()| false),
        Some(Fault::ResetAfter(bytes)) => {
            let sent = answer.body.get(..bytes).unwrap_or(&answer.body);
            stream.write_all(sent).await?;
            stream.set_zero_linger()?;
            Ok(false)
        }
        Some(Fault::Silence) => Ok(false),
    }
}

async fn drip(stream: &mut TcpStream, body: &[u8], pause: Duration) -> io::Result<bool> {
    for byte in body {
        tokio::time::sleep(pause).await;
        stream.write_all(std::slice::from_ref(byte)).await?;
    }
    Ok(true)
}

/// Waits until the other side has hung up.
async fn until_closed(stream: &mut TcpStream) -> io::Result<bool> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(false)
}
