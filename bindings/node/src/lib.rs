//! The engine as a Node addon.
