//! The queue by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nfa_runtime::host::{HostFailure, HostLoop, Letter, Reply};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::there::{There, Told, object};

#[tokio::test]
async fn the_host_is_woken_once_for_all_that_waits() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let host = HostLoop::<u8>::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    for own in 0..3 {
        host.post_own(own);
    }
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    let owns: Vec<u8> = host
        .take()
        .into_iter()
        .map(|letter| match letter {
            Letter::Own(own) => own,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(owns, [0, 1, 2]);
    host.post_own(3);
    assert_eq!(wakes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_is_answered_and_one_that_is_given_up_is_told() {
    let (there, mut told) = There::served(false);
    let echo = object(|_, _, method, arguments| async move { Ok(json!([method, arguments])) });
    let answer = there.host.call(echo, "call", None, json!(1)).await;
    assert_eq!(answer.unwrap(), json!(["call", 1]));

    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let never = object(move |_, call, _, _| {
        begun.send(call).unwrap();
        std::future::pending()
    });
    let answer = there.host.call(never, "call", None, Value::Null);
    let call = begins.recv().await.unwrap();
    drop(answer);
    let Some(Told::Cancelled(given_up)) = told.recv().await else {
        panic!("nothing was told");
    };
    assert_eq!(given_up, call);
    // Too late, and no harm.
    there.host.answer(call, Ok(Value::Null));
    assert!(!there.host.add(call, Value::Null));
}

#[tokio::test]
async fn whoever_waits_for_a_closed_loop_is_told() {
    let there = There::new();
    let nobody = object(|_, _, _, _| async { Ok(Value::Null) });
    let waiting = there.host.call(nobody.clone(), "call", None, Value::Null);
    there.host.close();
    assert!(there.host.is_closed());
    let later = there.host.call(nobody, "call", None, Value::Null);
    for answer in [waiting.await, later.await] {
        let Err(HostFailure::Stated(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(error.code(), "host_closed");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn the_end_of_a_future_comes_back_and_so_does_its_panic() {
    let (there, mut told) = There::served(false);
    let good = there
        .host
        .spawn(&Handle::current(), async { Ok(Reply::Json(json!(42))) });
    let Some(Told::Settled(ticket, Ok(Reply::Json(value)))) = told.recv().await else {
        panic!("no value");
    };
    assert_eq!((ticket, value), (good.ticket(), json!(42)));

    let bad = there
        .host
        .spawn(&Handle::current(), async { panic!("on purpose") });
    let Some(Told::Settled(ticket, Err(error))) = told.recv().await else {
        panic!("no error");
    };
    assert_eq!((ticket, error.code()), (bad.ticket(), "engine_panicked"));
}

#[tokio::test]
async fn what_is_begun_at_once_has_begun_and_goes_on() {
    let (there, mut told) = There::served(false);
    let begun = Arc::new(AtomicUsize::new(0));
    let (go, waits) = tokio::sync::oneshot::channel();
    let count = Arc::clone(&begun);
    let task = there.host.spawn_begun(&Handle::current(), async move {
        count.fetch_add(1, Ordering::SeqCst);
        let value: Value = waits.await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Reply::Json(value))
    });
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    go.send(json!(42)).unwrap();
    let Some(Told::Settled(ticket, Ok(Reply::Json(value)))) = told.recv().await else {
        panic!("no value");
    };
    assert_eq!((ticket, value), (task.ticket(), json!(42)));
    assert_eq!(begun.load(Ordering::SeqCst), 2);

    let bad = there
        .host
        .spawn_begun(&Handle::current(), async { panic!("on purpose") });
    let Some(Told::Settled(ticket, Err(error))) = told.recv().await else {
        panic!("no error");
    };
    assert_eq!((ticket, error.code()), (bad.ticket(), "engine_panicked"));
}

#[tokio::test]
async fn an_abandoned_future_is_dropped() {
    let (there, _told) = There::served(false);
    let (alive, gone) = tokio::sync::oneshot::channel::<()>();
    let task = there.host.spawn(&Handle::current(), async move {
        let _alive = alive;
        std::future::pending().await
    });
    task.abandon();
    assert!(gone.await.is_err());
}
