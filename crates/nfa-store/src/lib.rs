//! A SQLite store: one file, many runs, several processes.
