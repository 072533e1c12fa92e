"""Who is measured, and what each needs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Contender:
    language: str
    # The name of its file.
    name: str
    title: str
    # What must be installed for it; None for what the interpreter brings.
    package: str | None
    # What a user imports to write the agent of that file.
    imports: str

    @property
    def is_floor(self):
        return self.name.startswith("raw")

    @property
    def is_ours(self):
        return self.name == "nfa"


def python(name, title, package, imports):
    return Contender("python", name, title, package, imports)


def node(name, title, package, *imports):
    return Contender("node", name, title, package, " ".join(f'await import("{word}");' for word in imports))


ALL = (
    python("raw_httpx", "raw httpx", "httpx", "import httpx"),
    python("openai_agents", "openai-agents", "agents", "from agents import Agent, Runner, function_tool"),
    python(
        "langgraph",
        "langgraph",
        "langchain_openai",
        "from langchain.agents import create_agent; from langchain_openai import ChatOpenAI",
    ),
    python("pydantic_ai", "pydantic-ai", "pydantic_ai", "from pydantic_ai import Agent"),
    python("nfa", "nfa", "nfa_runtime", "from nfa_runtime import Agent, Runtime, tool"),
    node("raw-fetch", "raw fetch", None),
    node("ai", "ai", "ai", "ai", "@ai-sdk/openai-compatible"),
    node("openai-agents", "@openai/agents", "@openai/agents", "@openai/agents"),
    node("nfa", "nfa", "nfa-runtime", "nfa-runtime"),
)
