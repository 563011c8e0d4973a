"""What the static program is made of: the libraries that are compiled in, and the macros that write code into it."""

import json
import platform
import re
import subprocess

# The static program's, which are a few more than those of one for the machine's C library.
TARGET = f"{platform.machine()}-unknown-linux-musl"


def cargo(*arguments):
    """What a command of cargo prints, by the lock file as it is."""
    return subprocess.run(["cargo", *arguments, "--locked"], check=True, capture_output=True, text=True).stdout


def packages():
    """Each package as cargo describes it, and under `needs` the names and versions of those that it is built on."""
    tree = cargo("tree", "--target", TARGET, "--edges", "normal", "--prefix", "depth", "--format", "{p}")
    needs = {}
    above = []
    for line in tree.splitlines():
        depth, name, version = re.match(r"(\d+)(\S+) v(\S+)", line).groups()
        del above[int(depth) :]
        if above:
            needs[above[-1]].add((name, version))
        above.append((name, version))
        needs.setdefault((name, version), set())
    known = {}
    for package in json.loads(cargo("metadata", "--format-version", "1"))["packages"]:
        known[package["name"], package["version"]] = package
    return [known[key] | {"needs": sorted(needs[key])} for key in sorted(needs)]
