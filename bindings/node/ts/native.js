"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.native = native;
/**
 * The native addon's surface, and its errors as ours.
 *
 * @module
 */
const errors_js_1 = require("./errors.js");
/** Calls a native function, and throws what it throws as an {@link NfaError}. */
function native(call) {
    try {
        return call();
    }
    catch (thrown) {
        throw fromNative(thrown);
    }
}
function fromNative(thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    try {
        return (0, errors_js_1.errorFrom)(JSON.parse(message));
    }
    catch {
        return new errors_js_1.InternalError(message, { code: "binding_failed", cause: thrown });
    }
}
//# sourceMappingURL=native.js.map