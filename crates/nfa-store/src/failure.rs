//! What SQLite and the file system report, as errors that tell what to do.

use std::path::Path;

use nfa_core::{Category, Component, Error};
use rusqlite::ErrorCode;

/// A failed SQLite call.
pub(crate) fn sqlite(error: rusqlite::Error) -> Error {
    // What was read is not of the type that is written: only the file can have changed it.
    if let rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) =
        error
    {
        return damaged("a value of another type").with_source(error);
    }
    let (category, code, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Category::Transient,
            "store_busy",
            "another process kept the store locked for too long; try again",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            Category::Configuration,
            "store_corrupt",
            "the store's file is damaged or cut short; nothing was repaired: restore a copy, or export \
             what can still be read",
        ),
        Some(ErrorCode::NotADatabase) => (
            Category::Configuration,
            "store_foreign",
            "the file is no SQLite database; name another file",
        ),
        Some(ErrorCode::DiskFull) => (
            Category::Transient,
            "store_failed",
            "the disk is full; nothing of the batch was written: make room, then try again",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            Category::Configuration,
            "store_failed",
            "the store's file or directory may not be written; change its permissions",
        ),
        Some(ErrorCode::CannotOpen) => (
            Category::Configuration,
            "store_failed",
            "the store's file cannot be opened; check that the path and its permissions are right",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Category::Configuration,
            "store_failed",
            "the file system reported a failure; check the disk",
        ),
        _ => (
            Category::Internal,
            "store_failed",
            "the store refused a statement of its own",
        ),
    };
    Error::new(
        Component::Store,
        category,
        code,
        format!("{message} ({error})"),
    )
    .with_source(error)
}

/// A file or directory that is not as it must be.
pub(crate) fn path(path: &Path, message: &str) -> Error {
    Error::new(
        Component::Store,
        Category::Configuration,
        "store_failed",
        format!("{}: {message}", path.display()),
    )
}

/// A value in the file that no version of this crate wrote.
pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        Component::Store,
        Category::Configuration,
        "store_corrupt",
        format!(
            "the store holds {what} that this version cannot read; nothing was repaired: restore a copy, \
             or export what can still be read"
        ),
    )
}

/// A defect of this crate or its caller.
pub(crate) fn internal(message: &str) -> Error {
    Error::new(
        Component::Store,
        Category::Internal,
        "store_failed",
        message,
    )
}
