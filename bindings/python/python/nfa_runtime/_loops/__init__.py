"""Event loops that the engine's letters reach."""
