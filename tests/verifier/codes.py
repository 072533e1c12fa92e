"""§11: what a refusal says, and what it means to a caller."""

UNREADABLE = {"note_malformed", "key_malformed", "checkpoint_malformed", "anchor_malformed",
              "checkpoint_missing", "checkpoints_malformed", "tile_missing", "tile_malformed",
              "entries_missing", "entries_malformed", "bundle_too_large", "bundle_json",
              "bundle_format", "bundle_version", "bundle_not_canonical", "bundle_limits",
              "bundle_order", "leaf_encoding", "leaf_version", "leaf_domain", "leaf_kind",
              "leaf_algorithm", "keys_malformed"}
UNMET = {"log_key_unknown", "log_signature_missing", "log_key_cut_off", "witnesses_missing",
         "key_event_hidden"}


class Refused(Exception):
    """A rule of the page is broken; `code` is the page's."""

    def __init__(self, code, why=""):
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code


def need(condition, code, why=""):
    if not condition:
        raise Refused(code, why)


def exit_code(codes):
    """1 for anything false, then 3 for anything that cannot be read, then 2 for the policy."""
    if not codes:
        return 0
    if any(code not in UNREADABLE | UNMET for code in codes):
        return 1
    return 3 if any(code in UNREADABLE for code in codes) else 2
