//! The floor: the same loop, written by hand on reqwest, with typed JSON and no copies beyond need.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Result;
use crate::workload::{INSTRUCTIONS, QUESTION, Workload};

/// What somebody writes who needs nothing but an answer.
pub(crate) struct Floor {
    client: Client,
    url: String,
    workload: Workload,
    tools: Box<RawValue>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Message<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

impl<'a> Message<'a> {
    fn text(role: &'a str, content: impl Into<Cow<'a, str>>) -> Self {
        Self {
            role,
            content: Some(content.into()),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Call {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Response {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Part<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Add {
    a: i64,
    b: i64,
}

impl Floor {
    /// `plain` builds a client that could speak no TLS; otherwise it is reqwest's default.
    pub(crate) fn new(base_url: &str, workload: Workload, plain: bool) -> Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let client = if plain {
            let tls = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            Client::builder().tls_backend_preconfigured(tls).build()?
        } else {
            // Fails only where one is already installed, which is as good.
            let _ = provider.install_default();
            Client::new()
        };
        let tools = r#"[{"type":"function","function":{"name":"add","description":"Adds two integers.","parameters":{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}}}]"#;
        Ok(Self {
            client,
            url: format!("{base_url}/chat/completions"),
            workload,
            tools: RawValue::from_string(tools.to_owned())?,
        })
    }

    /// One run; gives the time to the first piece of text when it is streamed.
    pub(crate) async fn run(&self) -> Result<Option<Duration>> {
        match self.workload {
            Workload::Stream => self.stream().await.map(Some),
            Workload::One | Workload::Tools => self.whole().await.map(|()| None),
        }
    }

    async fn post(
        &self,
        messages: &[Message<'_>],
    ) -> std::result::Result<reqwest::Response, crate::Failure> {
        let stream = self.workload == Workload::Stream;
        let body = serde_json::to_vec(&Request {
            model: "fake",
            messages,
            tools: (self.workload == Workload::Tools).then_some(&*self.tools),
            stream,
            stream_options: stream.then_some(StreamOptions {
                include_usage: true,
            }),
        })?;
        let request = self.client.post(&self.url);
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        Ok(request.send().await?.error_for_status()?)
    }

    async fn whole(&self) -> Result<()> {
        let mut messages = vec![
            Message::text("system", INSTRUCTIONS),
            Message::text("user", QUESTION),
        ];
        loop {
            let body = self.post(&messages).await?.bytes().await?;
            let response: Response = serde_json::from_slice(&body)?;
            let choice = response.choices.into_iter().next();
            let said = choice.ok_or("no choice")?.message;
            if said.tool_calls.is_empty() {
                return self.workload.check(&said.content.unwrap_or_default());
            }
            let mut results = Vec::with_capacity(said.tool_calls.len());
            for call in &said.tool_calls {
                let Add { a, b } = serde_json::from_str(&call.function.arguments)?;
                results.push(Message {
                    tool_call_id: Some(call.id.clone()),
                    ..Message::text("tool", (a + b).to_string())
                });
            }
            messages.push(Message {
                role: "assistant",
                content: said.content.map(Cow::Owned),
                tool_calls: said.tool_calls,
                tool_call_id: None,
            });
            messages.append(&mut results);
        }
    }

    async fn stream(&self) -> Result<Duration> {
        let began = Instant::now();
        let messages = [
            Message::text("system", INSTRUCTIONS),
            Message::text("user", QUESTION),
        ];
        let mut response = self.post(&messages).await?;
        let mut first = None;
        let mut text = String::new();
        let mut buffer: Vec<u8> = Vec::new();
        while let Some(piece) = response.chunk().await? {
            buffer.extend_from_slice(&piece);
            let mut used = 0;
            while let Some(line) = next_line(&buffer, used) {
                used += line.len() + 1;
                let Some(data) = line.strip_prefix(b"data: ") else {
                    continue;
                };
                if data == b"[DONE]" {
                    continue;
                }
                let chunk: Chunk<'_> = serde_json::from_slice(data)?;
                let part = chunk.choices.into_iter().next();
                if let Some(content) = part.and_then(|part| part.delta.content)
                    && !content.is_empty()
                {
                    first.get_or_insert_with(|| began.elapsed());
                    text.push_str(&content);
                }
            }
            buffer.drain(..used);
        }
        self.workload.check(&text)?;
        first.ok_or_else(|| "no text came".into())
    }
}

fn next_line(buffer: &[u8], from: usize) -> Option<&[u8]> {
    let rest = buffer.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    rest.get(..end)
}
