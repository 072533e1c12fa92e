//! A fake LLM server that plays scripts, judges requests and injects faults.
