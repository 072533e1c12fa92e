//! The nfa command line.
