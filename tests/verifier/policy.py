"""Whom a verifier trusts (§9, steps 10, 11, 17 and 18)."""

from codes import need


class Policy:
    def __init__(self, log_keys, witnesses=(), required=0, cutoffs=()):
        self.log_keys, self.witnesses, self.required = list(log_keys), list(witnesses), required
        self.cutoffs = list(cutoffs)

    def own(self, origin):
        own = [key for key in self.log_keys if key.type == 1 and key.name == origin]
        need(own, "log_key_unknown")
        return own

    def cosigners(self, note):
        logs = {key.public for key in self.log_keys}
        return {key.public for key, _ in note.signed_by(self.witnesses)} - logs

    def speaker(self, note, checkpoint, events=()):
        """The key that speaks for the log; `events` are (index, event) of its key leaves."""
        since = self.since(checkpoint.origin, events)
        named = [key for key in since if since[key] < checkpoint.size]
        signed = {key for key, _ in note.signed_by(named)}
        signed = [key for key in named if key in signed]
        need(signed, "log_signature_missing")
        cut = {key: self.cutoff(key, events) for key in signed}
        signed = [key for key in signed if cut[key] is None or checkpoint.size < cut[key]]
        need(signed, "log_key_cut_off")
        return signed[0]

    def cutoff(self, key, events):
        named = [size for cut, size in self.cutoffs if cut == key]
        said = [event[2] for _, event in events if event[0] == key and event[2] is not None]
        return min(named + said, default=None)

    def since(self, origin, events):
        """The keys that speak for the log, each at sizes above the index that named it."""
        own = self.own(origin)
        since = {key: -1 for key in own}
        for index, (old, new, _) in sorted(events, key=lambda event: event[0]):
            if new is None or new in since or old not in since or since[old] >= index:
                continue
            if any(cut == old for cut, _ in self.cutoffs):
                continue
            cutoff = self.cutoff(old, events)
            if cutoff is None or index < cutoff:
                since[new] = index
        return since
