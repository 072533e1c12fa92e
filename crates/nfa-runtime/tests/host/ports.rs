//! Objects of the host behind ports pass the suites of those ports.

use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::content::{ModelAnswer, Usage};
use nfa_runtime::host::{
    HostCache, HostEmbedder, HostFailure, HostStore, StorePromises, serve_store,
};
use nfa_runtime::memory_store::MemoryStore;
use nfa_runtime::ports::{
    Cache, CacheKey, CallContext, Durability, Embedder, HashingEmbedder, MemoryCache, Store,
};
use nfa_testkit::conformance;
use nfa_testkit::conformance::embedder::Scene;
use nfa_testkit::conformance::store::Candidate;
use serde_json::{Value, json};

use crate::there::{Object, There, object};

fn served_store(store: Arc<MemoryStore>) -> Object {
    object(move |_, _, method, arguments| {
        let store = Arc::clone(&store);
        async move {
            serve_store(&*store, method, arguments)
                .await
                .map_err(HostFailure::from)
        }
    })
}

#[tokio::test]
async fn a_store_of_the_host_is_a_store() {
    let promises = || StorePromises {
        durability: Durability::Memory,
        at_rest: false,
        shared: false,
    };
    let report = conformance::store::run(|clock| {
        let (there, _) = There::served(true);
        let store = served_store(Arc::new(MemoryStore::with_clock(clock)));
        Candidate::volatile(Arc::new(HostStore::new(promises(), there.host, store)))
    })
    .await;
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.passed.len() > 30, "{report}");
}

#[tokio::test]
async fn a_store_of_the_host_that_forgets_fails_the_suite() {
    let report = conformance::store::run(|clock| {
        let (there, _) = There::served(true);
        let honest = served_store(Arc::new(MemoryStore::with_clock(clock)));
        let forgetful: Object = Arc::new(move |there, call, method, context, mut arguments| {
            if method == "commit" {
                arguments["batch"]["blobs"] = json!([]);
            }
            honest(there, call, method, context, arguments)
        });
        let promises = StorePromises {
            durability: Durability::Memory,
            at_rest: false,
            shared: false,
        };
        Candidate::volatile(Arc::new(HostStore::new(promises, there.host, forgetful)))
    })
    .await;
    assert!(!report.failures.is_empty());
}

#[tokio::test]
async fn a_store_of_the_host_that_gives_nonsense_is_told_so() {
    let (there, _) = There::served(true);
    let nonsense = object(|_, _, _, _| async { Ok(json!("nonsense")) });
    let promises = StorePromises {
        durability: Durability::Memory,
        at_rest: false,
        shared: false,
    };
    let store = HostStore::new(promises, there.host, nonsense);
    let error = store.log("helper").await.unwrap_err();
    assert_eq!(error.code(), "host_value_malformed");
    assert!(error.message().contains("`log` of a store"), "{error}");
}

#[tokio::test]
async fn an_embedder_of_the_host_is_an_embedder() {
    let report = conformance::embedder::run(async |scene| {
        let (there, _) = There::served(false);
        let inner = Arc::new(HashingEmbedder::new(64));
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let embedder = object(move |_, _, _, arguments| {
            let inner = Arc::clone(&inner);
            let before = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move {
                if scene == Scene::StallsThenAnswers && before == 0 {
                    std::future::pending::<()>().await;
                }
                let texts: Vec<String> =
                    serde_json::from_value(arguments["texts"].clone()).unwrap();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let given = inner.embed(&CallContext::detached(), &texts).await?;
                Ok(json!({ "vectors": given.vectors, "usage": Usage::default() }))
            }
        });
        let embedder = HostEmbedder::new("test/hashing", 64, there.host, embedder);
        Some(Arc::new(embedder) as Arc<dyn Embedder>)
    })
    .await;
    assert!(report.failures.is_empty(), "{report}");
}

#[tokio::test]
async fn an_embedder_of_the_host_gives_what_it_promised_or_an_error() {
    for (vectors, of) in [
        (json!([[1.0, 0.0]]), None),
        (json!([]), Some("0 vectors")),
        (json!([[1.0]]), Some("one of 1")),
        (json!([[1.0, 1e39]]), Some("not finite")),
        (json!("none"), Some("wrong shape")),
    ] {
        let (there, _) = There::served(false);
        let embedder = object(move |_, _, _, _| {
            let vectors = vectors.clone();
            async move { Ok(json!({ "vectors": vectors })) }
        });
        let embedder = HostEmbedder::new("test/odd", 2, there.host, embedder);
        let result = embedder.embed(&CallContext::detached(), &["a"]).await;
        match (result, of) {
            (Ok(given), None) => assert_eq!(given.vectors, [[1.0, 0.0]]),
            (Err(error), Some(of)) => {
                assert_eq!(error.code(), "host_value_malformed");
                assert!(error.message().contains(of), "{error}");
            }
            (result, of) => panic!("{of:?}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_cache_of_the_host_is_a_cache() {
    let report = conformance::cache::run(async || {
        let (there, _) = There::served(false);
        let inner = Arc::new(MemoryCache::new(1 << 20));
        let cache = object(move |_, _, method, arguments| {
            let inner = Arc::clone(&inner);
            async move { cached(&inner, method, &arguments).await }
        });
        HostCache::new(Some(1 << 20), there.host, cache)
    })
    .await;
    assert!(report.failures.is_empty(), "{report}");
}

async fn cached(
    inner: &MemoryCache,
    method: &str,
    arguments: &Value,
) -> Result<Value, HostFailure> {
    use nfa_runtime::hex::Hex;
    let key: Hex<[u8; 32]> = serde_json::from_value(arguments["key"].clone()).unwrap();
    let key = CacheKey(key.0);
    if method == "get" {
        return Ok(json!(inner.get(&key).await?.as_ref().map(Hex)));
    }
    let value: Hex<Vec<u8>> = serde_json::from_value(arguments["value"].clone()).unwrap();
    let ttl = Duration::from_millis(arguments["ttl_ms"].as_u64().unwrap());
    inner.put(&key, value.0.into(), ttl).await?;
    Ok(Value::Null)
}

/// An answer as a host would write it.
pub(crate) fn answer(text: &str) -> Value {
    let answer = json!({
        "message": { "role": "assistant", "parts": [{ "type": "text", "text": text }] },
        "finish": "stop",
    });
    serde_json::from_value::<ModelAnswer>(answer.clone()).unwrap();
    answer
}
