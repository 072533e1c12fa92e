//! Tools: authoring, registry and command tools.
