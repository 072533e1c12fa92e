//! A provider that speaks a protocol of its own, with layers around it: retry and a meter.

use std::sync::Arc;

use nfa_runtime::content::{FinishReason, Message, ModelAnswer, Usage};
use nfa_runtime::models::{Meter, PriceTable, Providers, Retry, RetryPolicy};
use nfa_runtime::ports::{CallContext, Model, ModelRequest, ModelStream, single_answer};
use nfa_runtime::prelude::*;
use nfa_runtime::spec::ModelSpec;
use nfa_runtime::{Category, Component};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A model behind a socket: a text goes in, a text comes out.
struct Parrot {
    name: String,
    address: String,
}

impl Parrot {
    async fn ask(&self, text: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        Ok(said)
    }
}

impl Model for Parrot {
    fn name(&self) -> &str {
        &self.name
    }

    fn generate<'a>(&'a self, _: &'a CallContext, request: &'a ModelRequest) -> ModelStream<'a> {
        single_answer(async move {
            let text = request.messages.last().map(|last| last.joined_text());
            let said = self.ask(&text.unwrap_or_default()).await.map_err(|error| {
                // Transient errors are tried again by the layer around it.
                let message = format!("no parrot answers at {}: {error}", self.address);
                Error::new(
                    Component::Model,
                    Category::Transient,
                    "parrot_silent",
                    message,
                )
            })?;
            Ok(ModelAnswer {
                message: Message::assistant(said),
                finish: FinishReason::Stop,
                usage: Usage::default(),
                model: self.name.clone(),
                response_id: None,
            })
        })
    }
}

/// Hangs up on its first caller, and gives the others their words back.
async fn parrot(listener: TcpListener) -> std::io::Result<()> {
    drop(listener.accept().await?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await?;
        stream
            .write_all(format!("{heard} {heard}!").as_bytes())
            .await?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(parrot(listener));

    let meter = Meter::new(PriceTable::new());
    let counted = meter.clone();
    let mut providers = Providers::new();
    providers.register("parrot", move |spec: &ModelSpec| {
        let (name, address) = (spec.name.clone(), address.clone());
        let model = counted.around(Parrot { name, address });
        Ok(Arc::new(Retry::new(model, RetryPolicy::default())) as Arc<dyn Model>)
    });

    let agent = Agent::builder("bird").model("parrot/polly").build()?;
    let runtime = Runtime::options()
        .models(Arc::new(providers))
        .open("memory:")
        .await?;
    let outcome = runtime
        .run(&agent, "Hello")
        .start()
        .await?
        .outcome()
        .await?;
    println!("{}", outcome.text());
    for (name, metrics) in meter.snapshot() {
        println!(
            "{name}: {} calls, {} answers",
            metrics.calls, metrics.answers
        );
    }
    runtime.close().await?;
    Ok(())
}
