#!/usr/bin/env python3
"""A verifier of proof bundles, written from docs/proof-of-prompt.md alone.

    verify.py BUNDLE --key VKEY [--witness VKEY]... [--witnesses N] [--cutoff VKEY=SIZE]...
    verify.py --audit FOLDER --key VKEY [...]
    verify.py --vectors FOLDER

It shares no code with the Rust verifier: CBOR is cbor2's, Ed25519 is OpenSSL's, BLAKE3 and JSON
are Python packages; keccak is written out below. Exit codes: 0 valid, 1 invalid or vectors disagree, 2 the policy is unmet,
3 cannot read.
"""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True  # The folder is a source tree.

from audit import Audit
from bundle import verify_bundle
from codes import Refused, exit_code
from notes import Key
from policy import Policy
from vectors import Vectors


def main():
    parser = argparse.ArgumentParser(description="Verify a proof bundle, or the vectors.")
    parser.add_argument("bundle", nargs="?", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], help="a log's vkey")
    parser.add_argument("--witness", action="append", default=[], help="a witness's vkey")
    parser.add_argument("--witnesses", type=int, default=0, help="how many must have signed")
    parser.add_argument("--cutoff", action="append", default=[], help="vkey=size of a cut-off key")
    parser.add_argument("--audit", type=pathlib.Path, help="audit this exported log")
    parser.add_argument("--vectors", type=pathlib.Path, help="check this folder of vectors")
    options = parser.parse_args()
    if options.vectors:
        Vectors(options.vectors).run()
        return 0
    if not options.bundle and not options.audit:
        parser.error("give a bundle, --audit or --vectors")
    try:
        cuts = [cut.rpartition("=") for cut in options.cutoff]
        policy = Policy(
            [Key(key) for key in options.key],
            [Key(key) for key in options.witness],
            options.witnesses,
            [(Key(key), int(size)) for key, _, size in cuts],
        )
        if options.audit:
            return print_audit(options.audit, policy)
        report = verify_bundle(options.bundle.read_bytes(), policy)
    except Refused as refused:
        print(f"REFUSED {refused}", file=sys.stderr)
        return exit_code([refused.code])
    print(json.dumps(report, indent=2))
    return 0


def print_audit(folder, policy):
    def read(path):
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            return None

    audit = Audit(read, policy)
    report = {"complete": audit.complete, "leaves": audit.leaves, "key": audit.key,
              "findings": audit.findings}
    print(json.dumps(report, indent=2))
    return exit_code(audit.findings)


if __name__ == "__main__":
    sys.exit(main())
