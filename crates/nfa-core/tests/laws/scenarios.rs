//! The scenarios that every law is tried on: what each agent's model says at each turn, and how the run
//! should end.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use nfa_core::content::{FinishReason, ModelAnswer};
use nfa_core::spec::{
    AgentSpec, Approval, Effect, HistoryPolicy, Limits, MemoryPolicy, Program, ToolRef, ToolSpec,
};
use nfa_testkit::scripted::answers::{call, calls, refusal, text};
use serde_json::json;

/// One scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) program: Arc<Program>,
    /// By agent and by the number of answers that its conversation already holds.
    says: BTreeMap<(String, usize), ModelAnswer>,
    /// Model turns (`agent@turn`) that fail the first time.
    pub(crate) fails: Vec<&'static str>,
    /// The run is cancelled when this tool is owed or asked about.
    pub(crate) cancels: Option<&'static str>,
    /// How the run is gone on with each time it stops short.
    pub(crate) resumes: Vec<Option<Limits>>,
    /// How it ends at last: a part of the end's debug text.
    pub(crate) ends: &'static str,
}

impl Scenario {
    pub(crate) fn new(name: &'static str, program: Program) -> Self {
        Self {
            name,
            program: Arc::new(program),
            says: BTreeMap::new(),
            fails: Vec::new(),
            cancels: None,
            resumes: Vec::new(),
            ends: "Completed",
        }
    }

    pub(crate) fn says(mut self, agent: &str, answers: Vec<ModelAnswer>) -> Self {
        for (turn, answer) in answers.into_iter().enumerate() {
            self.says.insert((agent.to_owned(), turn), answer);
        }
        self
    }

    /// Like `says`, for an agent that takes over a conversation of `turn` answers.
    fn says_from(mut self, agent: &str, turn: usize, answer: ModelAnswer) -> Self {
        self.says.insert((agent.to_owned(), turn), answer);
        self
    }

    pub(crate) fn answer(&self, agent: &str, turn: usize) -> ModelAnswer {
        self.says
            .get(&(agent.to_owned(), turn))
            .cloned()
            .unwrap_or_else(|| text(format!("MARKER: {agent} is done")))
    }

    fn fails(mut self, turn: &'static str) -> Self {
        self.fails.push(turn);
        self
    }

    fn cancels_at(mut self, tool: &'static str) -> Self {
        self.cancels = Some(tool);
        self
    }

    fn ends(mut self, end: &'static str) -> Self {
        self.ends = end;
        self
    }

    fn resumes(mut self, limits: Option<Limits>) -> Self {
        self.resumes.push(limits);
        self
    }
}

/// Every tool of the suite; its name tells how it behaves in the world.
pub(crate) const TOOLS: [(&str, Effect, Approval); 12] = [
    ("pure", Effect::Pure, Approval::Never),
    ("idempotent", Effect::Idempotent, Approval::Never),
    ("keyed", Effect::Keyed, Approval::Never),
    ("transactional", Effect::Transactional, Approval::Never),
    ("once", Effect::AtMostOnce, Approval::Never),
    ("once_known", Effect::AtMostOnce, Approval::Never),
    ("sorry", Effect::Pure, Approval::Never),
    ("broken_pure", Effect::Pure, Approval::Never),
    ("broken", Effect::Idempotent, Approval::Never),
    ("broken_once_known", Effect::AtMostOnce, Approval::Never),
    ("ask_pure", Effect::Pure, Approval::Always),
    ("ask_once", Effect::AtMostOnce, Approval::Always),
];

pub(crate) fn tools() -> Vec<ToolSpec> {
    TOOLS
        .map(|(name, effect, approval)| {
            let parameters = json!({
                "type": "object",
                "properties": { "n": { "type": "integer" }, "person": { "type": "string" } }
            });
            ToolSpec::new(name, "", parameters)
                .with_effect(effect)
                .with_approval(approval)
        })
        .into()
}

pub(crate) fn agent(name: &str) -> AgentSpec {
    let mut spec = AgentSpec::new(name, "test/model");
    spec.tools = TOOLS.map(|(name, ..)| ToolRef::Named(name.into())).into();
    spec
}

pub(crate) fn calling(mut spec: AgentSpec, agent: &str, own_run: bool) -> AgentSpec {
    spec.tools.push(ToolRef::Agent {
        agent: agent.into(),
        own_run,
    });
    spec
}

pub(crate) fn program(agents: &[AgentSpec]) -> Program {
    Program::new(&agents[0], &agents[1..], &tools()).unwrap()
}

fn one(name: &'static str) -> Scenario {
    Scenario::new(name, program(&[agent("root")]))
}

fn limited(name: &'static str, limits: Limits) -> Scenario {
    let mut root = agent("root");
    root.limits = limits;
    Scenario::new(name, program(&[root]))
}

fn done() -> ModelAnswer {
    text("MARKER: done")
}

fn cut_off(mut answer: ModelAnswer) -> ModelAnswer {
    answer.finish = FinishReason::Length;
    answer
}

fn number() -> AgentSpec {
    let mut root = agent("root");
    root.output = Some(json!({ "type": "object", "required": ["n"] }));
    root.limits.output_retries = 1;
    root
}

fn asks(agent: &str) -> ModelAnswer {
    call(agent, r#"{"input":"MARKER: do it"}"#)
}

/// The whole table.
pub(crate) fn scenarios() -> Vec<Arc<Scenario>> {
    static ALL: OnceLock<Vec<Arc<Scenario>>> = OnceLock::new();
    ALL.get_or_init(table).clone()
}

/// One of them.
pub(crate) fn scenario(name: &str) -> Arc<Scenario> {
    let mut all = scenarios().into_iter();
    all.find(|scenario| scenario.name == name).unwrap()
}

/// All but the one that is only large.
pub(crate) fn small() -> Vec<Arc<Scenario>> {
    let mut all = scenarios();
    all.retain(|scenario| scenario.name != "crowd");
    all
}

fn table() -> Vec<Arc<Scenario>> {
    let mut all = vec![
        one("text").says("root", vec![done()]),
        one("refusal").says("root", vec![refusal("MARKER: no")]),
        one("parallel").says(
            "root",
            vec![
                calls(
                    [
                        "pure",
                        "idempotent",
                        "keyed",
                        "transactional",
                        "once",
                        "once_known",
                    ]
                    .map(|tool| (tool, "{}")),
                ),
                calls([("keyed", "{}"), ("keyed", "{}")]),
                done(),
            ],
        ),
        one("for_the_model").says(
            "root",
            vec![calls([("sorry", "{}"), ("pure", "{}")]), done()],
        ),
        one("approval").says(
            "root",
            vec![
                calls([
                    ("ask_once", r#"{"person":"approve"}"#),
                    ("ask_once", r#"{"person":"deny"}"#),
                    ("ask_once", r#"{"person":"answer"}"#),
                    ("ask_pure", r#"{"person":"approve"}"#),
                    ("ask_pure", r#"{"person":"deny"}"#),
                    ("keyed", "{}"),
                ]),
                done(),
            ],
        ),
        one("bad_calls").says(
            "root",
            vec![
                calls([
                    ("MARKER", "{}"),
                    ("pure", "MARKER"),
                    ("pure", r#"{"n":"MARKER"}"#),
                    ("keyed", "{}"),
                ]),
                calls([("pure", "[]")]),
                done(),
            ],
        ),
        limited(
            "too_many_calls",
            Limits {
                parallel_calls: 2,
                ..Limits::default()
            },
        )
        .says("root", vec![calls([("once", "{}"); 3]), done()]),
        one("crowd").says("root", vec![calls([("pure", "{}"); 1500]), done()]),
        Scenario::new("output", program(&[number()])).says(
            "root",
            vec![text("MARKER"), text("```json\n{\"n\":1}\n```")],
        ),
        Scenario::new("output_exhausted", program(&[number()]))
            .says(
                "root",
                vec![
                    text("MARKER"),
                    text("MARKER 2"),
                    text("[]"),
                    text("{\"n\":2}"),
                ],
            )
            .resumes(None),
        one("cut_off")
            .says("root", vec![cut_off(done()), done()])
            .resumes(None),
        one("cut_off_calls")
            .says(
                "root",
                vec![cut_off(calls([("once", "{}"), ("pure", "{}")])), done()],
            )
            .resumes(None),
        one("model_fails")
            .says("root", vec![call("keyed", "{}"), done()])
            .fails("root@0")
            .fails("root@1")
            .resumes(None)
            .resumes(None),
        one("fatal_pure")
            .says(
                "root",
                vec![calls([("broken_pure", "{}"), ("once", "{}")]), done()],
            )
            .resumes(None),
        one("fatal")
            .says(
                "root",
                vec![calls([("once_known", "{}"), ("broken", "{}")]), done()],
            )
            .resumes(None),
        one("fatal_once")
            .says(
                "root",
                vec![calls([("broken_once_known", "{}"), ("once", "{}")]), done()],
            )
            .resumes(None),
        one("failed_for_good")
            .says("root", vec![call("pure", "{}")])
            .fails("root@1")
            .ends("Failed"),
        one("cancelled")
            .says(
                "root",
                vec![calls([("once_known", "{}"), ("pure", "{}")]), done()],
            )
            .cancels_at("once_known")
            .resumes(None),
        one("cancelled_asking")
            .says(
                "root",
                vec![calls([("ask_once", "{}"), ("keyed", "{}")]), done()],
            )
            .cancels_at("ask_once")
            .resumes(None),
        one("cancelled_for_good")
            .says("root", vec![call("once", "{}")])
            .cancels_at("once")
            .ends("Cancelled"),
    ];
    all.extend(limits());
    all.extend(several_agents());
    all.into_iter().map(Arc::new).collect()
}

fn limits() -> Vec<Scenario> {
    let free = || Some(Limits::default());
    let loops = || vec![call("keyed", "{}"), call("once_known", "{}"), done()];
    vec![
        limited(
            "turns",
            Limits {
                turns: 2,
                ..Limits::default()
            },
        )
        .says("root", loops())
        .resumes(free()),
        limited(
            "tokens",
            Limits {
                tokens: Some(11),
                ..Limits::default()
            },
        )
        .says("root", loops())
        .resumes(free()),
        limited(
            "cost",
            Limits {
                cost_micro_usd: Some(0),
                ..Limits::default()
            },
        )
        .says("root", loops())
        .resumes(Some(Limits {
            cost_micro_usd: Some(9),
            ..Limits::default()
        })),
        limited(
            "wall_time",
            Limits {
                wall_time_ms: Some(3),
                ..Limits::default()
            },
        )
        .says("root", loops())
        .resumes(Some(Limits {
            wall_time_ms: Some(1_000_000),
            ..Limits::default()
        })),
        limited(
            "turns_for_good",
            Limits {
                turns: 1,
                ..Limits::default()
            },
        )
        .says("root", loops())
        .ends("LimitReached { limit: Turns }"),
    ]
}

fn several_agents() -> Vec<Scenario> {
    let hands_over = |mut spec: AgentSpec, to: &str| {
        spec.handoffs.push(to.into());
        spec
    };
    let nest = |own_run| {
        let mut root = calling(agent("root"), "a", false);
        root.limits.turns = 100;
        program(&[
            root,
            calling(agent("a"), "b", false),
            calling(agent("b"), "c", own_run),
            agent("c"),
        ])
    };
    let nested = |name, own_run| {
        Scenario::new(name, nest(own_run))
            .says(
                "root",
                vec![
                    calls([
                        ("a", r#"{"input":"MARKER"}"#),
                        ("once", "{}"),
                        ("a", r#"{"input":"MARKER 2"}"#),
                    ]),
                    done(),
                ],
            )
            .says(
                "a",
                vec![calls([("b", r#"{"input":"MARKER"}"#), ("keyed", "{}")])],
            )
            .says(
                "b",
                vec![calls([("pure", "{}"), ("c", r#"{"input":"MARKER"}"#)])],
            )
            .says("c", vec![call("once_known", "{}")])
    };
    let mut shallow = calling(agent("root"), "a", false);
    shallow.limits.depth = 1;
    let mut short = agent("a");
    short.limits.turns = 1;
    let mut narrow = calling(agent("root"), "a", false);
    narrow.limits.turns = 2;
    let mut forgetful = agent("a");
    forgetful.memory = MemoryPolicy {
        history: HistoryPolicy { runs: Some(0) },
    };
    vec![
        Scenario::new(
            "handoff",
            program(&[
                hands_over(agent("root"), "a"),
                hands_over(forgetful.clone(), "b"),
                agent("b"),
            ]),
        )
        .says(
            "root",
            vec![calls([("transfer_to_a", "{}"), ("once", "{}")])],
        )
        .says_from("a", 1, call("keyed", "{}"))
        .says_from("a", 2, call("transfer_to_b", "{}"))
        .says_from("b", 3, done()),
        Scenario::new(
            "second_handoff",
            program(&[
                hands_over(hands_over(agent("root"), "a"), "b"),
                agent("a"),
                agent("b"),
            ]),
        )
        .says(
            "root",
            vec![calls([("transfer_to_b", "{}"), ("transfer_to_a", "{}")])],
        )
        .says_from("b", 1, done()),
        nested("nested", false),
        nested("nested_child_run", true),
        Scenario::new(
            "child_run",
            program(&[calling(agent("root"), "child", true), agent("child")]),
        )
        .says("root", vec![asks("child"), done()]),
        Scenario::new(
            "child_cancelled",
            program(&[
                calling(agent("root"), "cancelled", true),
                agent("cancelled"),
            ]),
        )
        .says("root", vec![asks("cancelled"), done()]),
        Scenario::new(
            "too_deep",
            program(&[shallow, calling(agent("a"), "b", false), agent("b")]),
        )
        .says("root", vec![asks("a"), done()])
        .says("a", vec![asks("b"), text("MARKER: alone")]),
        Scenario::new(
            "inner_turns",
            program(&[calling(agent("root"), "a", false), short]),
        )
        .says("root", vec![asks("a"), done()])
        .says("a", vec![call("keyed", "{}")]),
        Scenario::new(
            "inner_cut_off",
            program(&[calling(agent("root"), "a", false), agent("a")]),
        )
        .says(
            "root",
            vec![calls([("a", r#"{"input":"MARKER"}"#), ("a", "{}")]), done()],
        )
        .says("a", vec![cut_off(done())]),
        Scenario::new("inner_output", {
            let mut inner = number();
            inner.name = "a".into();
            program(&[calling(agent("root"), "a", false), inner])
        })
        .says("root", vec![asks("a"), done()])
        .says("a", vec![text("MARKER"), text("MARKER 2")]),
        Scenario::new(
            "inner_fatal",
            program(&[calling(agent("root"), "a", false), agent("a")]),
        )
        .says(
            "root",
            vec![
                calls([("a", r#"{"input":"MARKER"}"#), ("once", "{}")]),
                done(),
            ],
        )
        .says(
            "a",
            vec![call("broken_once_known", "{}"), text("MARKER: a")],
        )
        .resumes(None),
        Scenario::new("limit_beside_calls", program(&[narrow, agent("a")]))
            .says(
                "root",
                vec![
                    calls([
                        ("a", r#"{"input":"1"}"#),
                        ("once", "{}"),
                        ("a", r#"{"input":"2"}"#),
                    ]),
                    done(),
                ],
            )
            .resumes(Some(Limits::default())),
    ]
}
