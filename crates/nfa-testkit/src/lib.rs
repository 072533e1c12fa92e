//! Scripted models, a fake LLM server with faults, and conformance suites for every port.
