//! The schema that the model sees and the code that reads its arguments agree.

#![cfg(feature = "macros")]

use nfa_core::spec::Schema;
use nfa_tools::{CallContext, IntoTool, ToolError, schemars, tool};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Metre,
    Foot,
}

#[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Size {
    width: f64,
    unit: Option<Unit>,
}

#[tool(effect = "pure")]
fn measure(
    count: i32,
    #[tool(default = 3)] small: u8,
    large: Option<u64>,
    names: Vec<String>,
    #[tool(default)] sizes: std::collections::BTreeMap<String, Size>,
    exact: Option<bool>,
) -> Value {
    json!([count, small, large, names, sizes, exact])
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        (-300_i64..300).prop_map(Value::from),
        (-3_000_000_000_i64..5_000_000_000).prop_map(Value::from),
        (-300_i32..300).prop_map(|n| json!(f64::from(n))),
        (-9.0_f64..9.0).prop_map(Value::from),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => number(),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => "metre|foot|[a-z]{0,3}".prop_map(Value::from),
    ]
}

fn size() -> impl Strategy<Value = Value> {
    (
        prop_oneof![4 => number(), 1 => scalar()],
        proptest::option::of(prop_oneof![2 => "metre|foot".prop_map(Value::from), 1 => scalar()]),
        proptest::option::weighted(0.1, scalar()),
    )
        .prop_map(|(width, unit, more)| {
            object([("width", Some(width)), ("unit", unit), ("more", more)])
        })
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members
        .into_iter()
        .filter_map(|(key, member)| Some((key.to_owned(), member?)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn arguments() -> impl Strategy<Value = Value> {
    use proptest::collection::{btree_map, vec};
    use proptest::option::weighted;

    let names = prop_oneof![
        3 => vec("[a-z]{0,3}", 0..3).prop_map(Value::from),
        1 => vec(scalar(), 0..3).prop_map(Value::from),
    ];
    let sizes = btree_map("[a-z]", size(), 0..3).prop_map(|sizes| json!(sizes));
    (
        weighted(0.95, number()),
        weighted(0.5, number()),
        weighted(0.5, prop_oneof![number(), Just(Value::Null)]),
        weighted(0.95, names),
        weighted(0.7, sizes),
        weighted(
            0.5,
            prop_oneof![any::<bool>().prop_map(Value::from), scalar()],
        ),
        weighted(0.05, scalar()),
    )
        .prop_map(|(count, small, large, names, sizes, exact, more)| {
            object([
                ("count", count),
                ("small", small),
                ("large", large),
                ("names", names),
                ("sizes", sizes),
                ("exact", exact),
                ("more", more),
            ])
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_the_schema_accepts_is_what_the_tool_reads(arguments in arguments()) {
        let tool = measure.into_tool();
        let schema = Schema::compile(tool.spec().parameters.clone()).unwrap();
        let accepted = schema.faults(&arguments);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(tool.call(&CallContext::detached(), arguments));
        match (accepted, read) {
            (None, Ok(_)) => {}
            (Some(_), Err(ToolError::ForModel(_))) => {}
            (accepted, read) => prop_assert!(false, "schema: {accepted:?}, tool: {read:?}"),
        }
    }
}

#[test]
fn both_answers_are_seen() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let tool = measure.into_tool();
    let schema = Schema::compile(tool.spec().parameters.clone()).unwrap();
    let mut runner = TestRunner::deterministic();
    let accepted = (0..500)
        .filter(|_| {
            let arguments = arguments().new_tree(&mut runner).unwrap().current();
            schema.faults(&arguments).is_none()
        })
        .count();
    assert!((25..475).contains(&accepted), "{accepted} of 500");
}
