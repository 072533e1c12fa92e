"use strict";
// Generated from the JSON Schemas of the Rust types by `cargo xtask generate`: do not edit.
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=types.js.map