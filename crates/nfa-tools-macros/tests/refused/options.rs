use nfa_tools_macros::tool;

#[tool(effect = "sometimes")]
async fn effect() {}

#[tool(timeout = "soon")]
async fn timeout() {}

#[tool(name = "two words")]
async fn name() {}

#[tool(retries = 3)]
async fn unknown() {}

#[tool(name = "a", name = "b")]
async fn twice() {}

#[tool(blocking)]
async fn blocking() {}

fn main() {}
