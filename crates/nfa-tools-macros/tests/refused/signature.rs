use nfa_tools_macros::tool;

struct CallContext;

#[tool]
async fn generic<T>(value: T) {}

#[tool]
async fn borrowed(text: &str) {}

#[tool]
async fn slice(items: &[u8]) {}

#[tool]
async fn opaque(value: impl Send) {}

#[tool]
async fn pattern((a, b): (u8, u8)) {}

#[tool]
async fn late(a: u8, cx: &CallContext) {}

#[tool]
async fn attribute(#[tool(optional)] a: u8) {}

#[tool]
unsafe fn dangerous() {}

#[tool]
fn hidden() -> impl Send {}

#[tool]
struct NotAFunction;

fn main() {}
