//! One connection: reads requests, performs the actions of their replies, notices when nobody listens.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;
use super::http::{Head, Reader};
use super::reply::Reply;
use super::request::Request;

/// One step of sending a reply.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Sends these bytes, in one write.
    Write(Bytes),
    /// Sends these bytes again and again, with a pause before each time.
    Repeat(Bytes, Duration),
    /// Waits so long.
    Pause(Duration),
    /// Sends nothing more, and stays.
    Forever,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
}

enum Next {
    Request,
    Close,
    HungUp,
}

struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Without it small writes wait for acknowledgements; with an error the socket is gone anyway.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        stream,
        buffer: BytesMut::with_capacity(8 * 1024),
    };
    while let Some((head, body)) = connection.request().await {
        let (request, reply) = shared.answer(head, body);
        match connection.deliver(&reply, &request).await {
            Next::Request if request.keeps_alive() => {}
            Next::HungUp => return shared.hang_up(),
            Next::Request | Next::Close => return,
        }
    }
}

impl Connection {
    async fn request(&mut self) -> Option<(Head, Bytes)> {
        let mut reader = Reader::default();
        loop {
            match reader.read(&mut self.buffer) {
                Ok(Some(request)) => return Some(request),
                Ok(None) => {}
                Err(_) => {
                    let reply = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = self.stream.write_all(reply).await;
                    return None;
                }
            }
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    async fn deliver(&mut self, reply: &Reply, request: &Request) -> Next {
        let mut gates = reply.gates.iter().peekable();
        for (at, action) in reply.actions(request).iter().enumerate() {
            while let Some((_, gate)) = gates.next_if(|(gate, _)| *gate <= at) {
                tokio::select! {
                    () = gate.pass() => {}
                    () = gone(&self.stream, &mut self.buffer) => return Next::HungUp,
                }
            }
            if let Some(pause) = reply.pause()
                && self.pause(pause).await
            {
                return Next::HungUp;
            }
            match action {
                Action::Write(bytes) => {
                    if self.stream.write_all(bytes).await.is_err() {
                        return Next::HungUp;
                    }
                }
                Action::Repeat(bytes, pause) => loop {
                    if self.pause(*pause).await || self.stream.write_all(bytes).await.is_err() {
                        return Next::HungUp;
                    }
                },
                Action::Pause(pause) => {
                    if self.pause(*pause).await {
                        return Next::HungUp;
                    }
                }
                Action::Forever => {
                    gone(&self.stream, &mut self.buffer).await;
                    return Next::HungUp;
                }
                Action::Reset => {
                    let _ = self.stream.set_zero_linger();
                    return Next::Close;
                }
                Action::Close => return Next::Close,
            }
        }
        Next::Request
    }

    /// Waits; true when the other side hung up meanwhile.
    async fn pause(&mut self, pause: Duration) -> bool {
        // A timer takes a millisecond at least; that the other side is gone is seen by the next write too.
        if pause.is_zero() {
            tokio::task::yield_now().await;
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = gone(&self.stream, &mut self.buffer) => true,
        }
    }
}

/// Completes when the other side has closed; what it sends meanwhile is kept.
async fn gone(stream: &TcpStream, buffer: &mut BytesMut) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read_buf(buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
