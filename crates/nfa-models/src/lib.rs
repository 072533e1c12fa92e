//! Model adapters: OpenAI-compatible Chat Completions, with retry and deadlines.
