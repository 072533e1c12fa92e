//! Cancelling: whoever no longer wants an answer is not kept, and neither is the provider.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use nfa_core::ports::{CallContext, Model};
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{Fault, Reply};

use crate::support::{TEXT, request, retrying, said, serve};
use crate::wires::WIRES;

/// Faults during which a call is given up: before the head, before content, inside an answer.
fn stalls() -> [Fault; 5] {
    let pause = Duration::from_millis(1);
    [
        Fault::StallBeforeHead,
        Fault::Stall { after: 0 },
        Fault::StallInside,
        Fault::KeepAlivesOnly { pause },
        Fault::SlowLoris {
            pause: Duration::from_secs(1),
        },
    ]
}

#[tokio::test]
async fn dropping_and_cancelling_close_the_connection() {
    for wire in WIRES {
        for fault in stalls() {
            for deltas in [true, false] {
                // An answer that is not streamed has no keep-alives.
                if !deltas && matches!(fault, Fault::KeepAlivesOnly { .. }) {
                    continue;
                }
                let server = serve([said(fault.clone()), said(fault.clone())]).await;
                let model = wire.adapter(&server);
                let request = request(deltas);
                for (number, cancels) in [(1, false), (2, true)] {
                    let context = CallContext::detached();
                    let mut stream = model.generate(&context, &request);
                    tokio::select! {
                        biased;
                        () = server.wait_for_requests(number) => {}
                        item = async {
                            while let Some(Ok(_)) = stream.next().await {}
                        } => panic!("{fault:?}: it ended: {item:?}"),
                    }
                    assert_eq!(server.hangups(), number - 1);
                    if cancels {
                        context.cancellation.cancel();
                        let mut error = None;
                        while let Some(item) = stream.next().await {
                            error = item.err();
                        }
                        let error = error.unwrap();
                        assert_eq!(error.code(), "model_cancelled", "{fault:?}");
                        assert!(!error.is_retryable());
                    }
                    drop(stream);
                    server.wait_for_hangups(number).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn the_callers_deadline_ends_the_call() {
    for wire in WIRES {
        for fault in stalls() {
            let server = serve([said(fault.clone())]).await;
            let model = retrying(wire.adapter(&server));
            let request = request(true);
            let mut context = CallContext::detached();
            context.deadline = Some(Instant::now() + Duration::from_millis(50));
            let items: Vec<_> = model.generate(&context, &request).collect().await;
            let error = items.into_iter().find_map(Result::err).unwrap();
            assert_eq!(error.code(), "model_deadline_exceeded", "{fault:?}");
            server.wait_for_hangups(1).await;
            assert_eq!(server.count(), 1);
        }
    }
}

#[tokio::test]
async fn a_wait_before_a_retry_can_be_cancelled() {
    for wire in WIRES {
        let server = serve([Reply::rate_limited(50), Reply::text(TEXT)]).await;
        let model = retrying(wire.adapter(&server));
        let (context, request) = (CallContext::detached(), request(true));
        let mut stream = model.generate(&context, &request);
        let cancelling = async {
            server.wait_for_requests(1).await;
            context.cancellation.cancel();
        };
        let (item, ()) = tokio::join!(stream.next(), cancelling);
        assert_eq!(item.unwrap().unwrap_err().code(), "model_cancelled");
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn the_first_text_is_handed_over_while_the_rest_is_still_to_come() {
    use nfa_core::ports::ModelDelta;
    for wire in WIRES {
        let gate = Gate::new();
        let text = "first and the rest".repeat(20);
        // Every wire has begun its text by then, and none has ended it.
        let reply = Reply::text(text.as_str()).in_chunks_of(5);
        let server = serve([reply.held_after(20, &gate)]).await;
        let model = wire.adapter(&server);
        let (context, request) = (CallContext::detached(), request(true));
        let mut stream = model.generate(&context, &request);
        let first = stream.next().await.unwrap().unwrap();
        assert!(
            matches!(&first, ModelDelta::Text(first) if text.starts_with(first.as_str())),
            "{first:?}"
        );
        gate.open();
        assert!(stream.count().await > 1);
    }
}
