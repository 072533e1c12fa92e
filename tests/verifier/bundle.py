"""§8 and §9: a bundle, read and verified."""

import base64
import hashlib
import json

from anchor import verify_anchor
from codes import Refused, need
from leaf import KINDS, commit, decode_leaf, extend
from notes import Checkpoint, Note, key_event
from shapes import (
    array, bounded, canonical, field_id, increasing, integer, octets, once, shape, shaped, text,
)
from tree import hasher, verify_inclusion


CONTEXT, CONTEXT_PART = 18, 19


def leaf_shape(value):
    shape(
        value,
        {
            "disclosed": array(shaped({"field": field_id, "salt": octets(32), "value": octets()})),
            "erased": array(field_id),
            "index": integer,
            "leaf": octets(),
            "proof": array(octets(32)),
        },
        ("context",),
    )
    if "context" in value:
        part = {"part": integer, "salt": octets(32), "step": integer, "value": octets()}
        shape(
            value["context"],
            {
                "parts": array(shaped(part)),
                "start": octets(32),
                "steps": array(array(octets(32))),
            },
        )


def read_bundle(data):
    need(len(data) <= 16777216, "bundle_too_large")
    try:
        bundle = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused("bundle_json", str(error)) from error
    need(type(bundle) is dict, "bundle_json", "object")
    need(bundle.get("format") == "nfa-proof-bundle", "bundle_format")
    version = bundle.get("version")
    need(type(version) is int and version == 1, "bundle_version")
    shape(
        bundle,
        {
            "anchors": array(shaped({"data": octets(), "kind": text})),
            "checkpoint": text,
            "digest": octets(32),
            "format": text,
            "hasher": text,
            "leaves": array(leaf_shape),
            "origin": text,
            "version": integer,
        },
    )
    need(bundle["hasher"] in ("sha256", "blake3"), "bundle_json", "hasher")
    need(canonical(bundle) == data, "bundle_not_canonical")

    bounded(bundle["leaves"], 1, 1024)
    bounded(bundle["checkpoint"].encode(), 1, 65536)
    bounded(bundle["anchors"], 0, 16)
    for anchor in bundle["anchors"]:
        bounded(anchor["kind"].encode(), 1, 64)
        bounded(base64.b64decode(anchor["data"]), 0, 65536)
    increasing([leaf["index"] for leaf in bundle["leaves"]])
    for leaf in bundle["leaves"]:
        bounded(base64.b64decode(leaf["leaf"]), 0, 16384)
        bounded(leaf["proof"], 0, 64)
        bounded(leaf["disclosed"], 0, 256)
        bounded(leaf["erased"], 0, 256)
        increasing([opening["field"] for opening in leaf["disclosed"]])
        increasing(leaf["erased"])
        if "context" in leaf:
            increasing([(part["step"], part["part"]) for part in leaf["context"]["parts"]])
    return bundle


def verify_leaf(proof, checkpoint):
    data = base64.b64decode(proof["leaf"])
    leaf = decode_leaf(data)
    h = hasher(checkpoint.hasher)
    path = [base64.b64decode(sibling) for sibling in proof["proof"]]
    verify_inclusion(h, h(b"\0" + data), proof["index"], checkpoint.size, path, checkpoint.root)
    for field in proof["erased"]:
        need(field in leaf[9], "field_unknown")
    shown = {}
    for opening in proof["disclosed"]:
        field, value = opening["field"], base64.b64decode(opening["value"])
        need(field in leaf[9], "field_unknown")
        need(field not in proof["erased"], "field_erased_and_disclosed")
        salt = base64.b64decode(opening["salt"])
        need(commit(field, salt, value) == leaf[9][field], "commitment_mismatch")
        shown[field] = value
    if "context" in proof:
        context = proof["context"]
        need(CONTEXT in shown, "context_not_disclosed")
        steps = [[base64.b64decode(c) for c in step] for step in context["steps"]]
        head_now = base64.b64decode(context["start"])
        for step in steps:
            head_now = extend(head_now, step)
        need(head_now == shown[CONTEXT], "context_mismatch")
        for part in context["parts"]:
            step, place = part["step"], part["part"]
            need(step < len(steps) and place < len(steps[step]), "context_mismatch")
            salt, value = base64.b64decode(part["salt"]), base64.b64decode(part["value"])
            need(commit(CONTEXT_PART, salt, value) == steps[step][place], "context_mismatch")
    return leaf, shown


def verify_bundle(data, policy):
    bundle = read_bundle(data)
    note = Note(bundle["checkpoint"].encode())
    checkpoint = Checkpoint(note.text)
    need(bundle["origin"] == checkpoint.origin, "origin_mismatch")
    need(bundle["hasher"] == checkpoint.hasher, "hasher_mismatch")
    note.signed_by(policy.own(checkpoint.origin))
    seen = policy.cosigners(note)
    leaves = [verify_leaf(proof, checkpoint) for proof in bundle["leaves"]]
    events = [(proof["index"], key_event(shown))
              for proof, (leaf, shown) in zip(bundle["leaves"], leaves) if leaf[2] == 6]
    events = [(index, event) for index, event in events
              if event and event[0].name == checkpoint.origin]
    anchored = [verify_anchor(anchor, checkpoint) for anchor in bundle["anchors"]]
    places = [(leaf[3], leaf[4], leaf[6]) for leaf, _ in leaves]
    need(len(set(places)) == len(places), "sequence_conflict")
    stated = bundle.pop("digest")
    digest = base64.b64encode(hashlib.sha256(canonical(bundle)).digest()).decode()
    need(stated == digest, "bundle_digest")
    key = policy.speaker(note, checkpoint, events)
    seen -= {key.public for key in policy.since(checkpoint.origin, events)}
    need(len(seen) >= policy.required, "witnesses_missing")

    ids = {
        hashlib.sha256(b"\0" + base64.b64decode(proof["leaf"])).digest(): proof["index"]
        for proof in bundle["leaves"]
    }
    report = []
    for proof, (leaf, shown) in zip(bundle["leaves"], leaves):
        hidden = [f for f in leaf[9] if f not in shown and f not in proof["erased"]]
        report.append(
            {
                "index": proof["index"],
                "kind": KINDS[leaf[2]],
                "sequence": leaf[6],
                "parent_index": ids.get(leaf.get(8)),
                "disclosed": list(shown),
                "erased": proof["erased"],
                "hidden": hidden,
                "context_parts": len(proof.get("context", {}).get("parts", [])),
            }
        )
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": base64.b64encode(checkpoint.root).decode(),
        "witnesses": len(seen),
        "key": key.vkey,
        "anchored": [
            dict(said, not_covered=[leaf["index"] for leaf in bundle["leaves"]
                                    if leaf["index"] >= said["size"]])
            for said in anchored if said
        ],
        "leaves": report,
    }
