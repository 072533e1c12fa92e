//! Durable, provable agents: the facade.
