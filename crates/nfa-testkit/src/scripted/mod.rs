//! A `Model` that plays a script.
