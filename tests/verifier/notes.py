"""§6 and §7: keys, notes, key events and checkpoints."""

import hashlib
import unicodedata

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from codes import Refused, need
from leaf import unbase64


MAX_INTEGER = 2**53 - 1
KEY_EVENT, OLD_KEY, NEW_KEY, KEY_SIGNATURE, CUTOFF_SIZE = 96, 97, 98, 99, 100
ED25519_P = 2**255 - 19


def check_name(name, code):
    odd = any(c == "+" or c.isspace() or unicodedata.category(c) == "Cc" for c in name)
    need(name and len(name.encode()) <= 255 and not odd, code, "name")


def double_is_neutral_after_three(y):
    """Whether 8 times a point with this y is the neutral element: its order is small.

    On the curve -x^2 + y^2 = 1 + d x^2 y^2, doubling takes y to (x^2 + y^2) / (2 + x^2 - y^2).
    """
    p, d = ED25519_P, -121665 * pow(121666, -1, ED25519_P) % ED25519_P
    for _ in range(3):
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        y = (x2 + y * y) * pow(2 + x2 - y * y, -1, p) % p
    return y == 1


def on_curve(y):
    p, d = ED25519_P, -121665 * pow(121666, -1, ED25519_P) % ED25519_P
    x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    return x2 == 0 or pow(x2, (p - 1) // 2, p) == 1


class Key:
    def __init__(self, vkey):
        parts = vkey.split("+", 2)
        need(len(parts) == 3, "key_malformed", "name+id+key")
        self.vkey, (self.name, key_id, key) = vkey, parts
        check_name(self.name, "key_malformed")
        data = unbase64(key, "key_malformed")
        need(len(data) == 33 and data[0] in (1, 4), "key_malformed", "type or length")
        self.type, self.public = data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        need(self.id.hex() == key_id, "key_malformed", "id")
        y = int.from_bytes(self.public, "little") & (2**255 - 1)
        need(y < ED25519_P and on_curve(y), "key_malformed", "not a point")
        need(not double_is_neutral_after_three(y), "key_malformed", "small order")

    def verify(self, text, signature):
        """The time of a cosignature, None for another signature."""
        time, message = None, text.encode()
        if self.type == 4:
            need(len(signature) == 72, "signature_invalid", self.name)
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            need(time < 2**63, "signature_invalid", self.name)
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        need(self.made(signature, message), "signature_invalid", self.name)
        return time

    def made(self, signature, message):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return len(signature) == 64

    def __eq__(self, other):
        return self.vkey == other.vkey

    def __hash__(self):
        return hash(self.vkey)


class Note:
    def __init__(self, data):
        code = "note_malformed"
        need(len(data) <= 65536, code, "too long")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(code, "UTF-8") from error
        split = whole.rfind("\n\n")
        need(split >= 0, code, "no blank line")
        self.text, lines = whole[: split + 1], whole[split + 2 :]
        need(not any(c < " " and c != "\n" for c in self.text), code, "control character")
        need(lines.endswith("\n"), code, "last newline")
        self.signatures = {}
        for line in lines[:-1].split("\n"):
            need(line.startswith("\u2014 "), code, "dash")
            name, space, signature = line[2:].partition(" ")
            need(space, code, "signature line")
            signature = unbase64(signature, code)
            need(len(signature) > 4, code, "short signature")
            check_name(name, code)
            who = (name, signature[:4])
            need(who not in self.signatures, code, "signed twice")
            self.signatures[who] = signature[4:]
        need(len(self.signatures) <= 100, code, "too many signatures")

    def signed_by(self, keys):
        """(key, time) of those of `keys` that signed; every one of them must have."""
        known = {(key.name, key.id): key for key in keys}
        return [
            (known[who], known[who].verify(self.text, signature))
            for who, signature in self.signatures.items()
            if who in known
        ]


def plain_size(text):
    """A size in its one form, or None."""
    if not (text.isascii() and text.isdigit() and str(int(text)) == text):
        return None
    return int(text) if int(text) <= MAX_INTEGER else None


def key_event(shown):
    """(old key, new key or None, cut-off or None) of what a key leaf discloses, or None."""
    code = "key_event_invalid"
    if not {KEY_EVENT, OLD_KEY, KEY_SIGNATURE} <= set(shown):
        return None

    def key(field):
        if field not in shown:
            return None
        try:
            return Key(shown[field].decode("utf-8"))
        except (Refused, UnicodeDecodeError) as error:
            raise Refused(code, "key") from error

    old, new, cutoff = key(OLD_KEY), key(NEW_KEY), None
    if CUTOFF_SIZE in shown:
        cutoff = plain_size(shown[CUTOFF_SIZE].decode("latin-1"))
        need(cutoff is not None, code, "cutoff")
    name = shown[KEY_EVENT]
    need(name in (b"rotate", b"revoke"), code, "event")
    need((new is not None) if name == b"rotate" else (new is None and cutoff is not None), code)
    need(old.type == 1, code, "a cosignature key")
    if new is not None:
        need(new.type == 1 and new.name == old.name and new != old, code, "new key")
    lines = ["nfa key event v1", old.name, name.decode(), old.vkey, new.vkey if new else "",
             "" if cutoff is None else str(cutoff)]
    statement = "".join(line + "\n" for line in lines).encode()
    need(old.made(shown[KEY_SIGNATURE], statement), code, "signature")
    return old, new, cutoff


class Checkpoint:
    def __init__(self, text):
        code = "checkpoint_malformed"
        need(text.endswith("\n"), code, "last newline")
        lines = text[:-1].split("\n")
        need(len(lines) >= 3, code, "three lines")
        self.origin, size, root, *extensions = lines
        check_name(self.origin, code)
        self.size = plain_size(size)
        need(self.size is not None, code, "size")
        self.root = unbase64(root, code)
        need(len(self.root) == 32, code, "root")
        for line in extensions:
            control = any(unicodedata.category(c) == "Cc" for c in line)
            need(line and not control, code, "extension")
        named = [line for line in extensions if line.startswith("hasher ")]
        need(named in ([], ["hasher blake3"]), code, "hasher")
        self.hasher = "blake3" if named else "sha256"
