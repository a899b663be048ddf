#!/usr/bin/env python3
"""Writes THIRD-PARTY-NOTICES.txt: the licences of everything that is linked statically into the binaries of the images.

    python3 deploy/notices.py            write the file; to be run after each change of Cargo.lock
    python3 deploy/notices.py --check    fail if the file is not what would be written (CI; takes a second)

The crates are those of `cargo tree` for the services and the audit with all features on Linux, without build dependencies and procedural
macros, which run in the compiler and are not linked. Of a crate that offers a choice the file gives one licence only, Apache-2.0 where it
is offered.
The C libraries are compiled from sources inside crates; their licences are read from there.

It needs cargo and the crates' sources, which cargo downloads if they are not there, and nothing else.
"""

import difflib
import fnmatch
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES.txt"
COMMAND = "python3 deploy/notices.py"
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
PACKAGES = ["-p", "producer-svc", "-p", "consumer-svc", "-p", "audit", "--features", "producer-svc/otel,consumer-svc/otel"]

# Name, the crate that holds the sources, the file and the pattern that its version is read from (none: part of the library above it),
# the files with its licence.
LIBRARIES = [
    ("librdkafka", "rdkafka-sys", ("librdkafka/src/rdkafka.h", r"RD_KAFKA_VERSION\s+0x(..)(..)(..)"), ["librdkafka/LICENSE"]),
    ("OpenSSL", "openssl-src", ("openssl/VERSION.dat", r"MAJOR=(\d+)\s+MINOR=(\d+)\s+PATCH=(\d+)"), ["openssl/LICENSE.txt"]),
    ("zlib", "libz-sys", ("src/zlib/zlib.h", r'ZLIB_VERSION "([\d.]+)"'), ["src/zlib/LICENSE"]),
    ("Zstandard", "zstd-sys", ("zstd/lib/zstd.h", r"_MAJOR\s+(\d+)\s.*_MINOR\s+(\d+)\s.*_RELEASE\s+(\d+)"), ["zstd/LICENSE"]),
    ("mimalloc", "libmimalloc-sys", ("c_src/mimalloc/v3/include/mimalloc.h", r"VERSION (\d)(\d\d)(\d\d)"), ["c_src/mimalloc/v3/LICENSE"]),
]
# Sources of others inside librdkafka: each has its LICENSE.<name>. Two of them are compiled only where the system lacks
# a regular expression library or getopt, which Linux does not.
INSIDE_LIBRDKAFKA = "librdkafka/LICENSE.*"
NOT_COMPILED = ["LICENSE.regexp", "LICENSE.wingetopt"]

# Crates whose package has no licence file: the crate of the same repository that has one.
SAME_REPOSITORY = {"rdkafka-sys": "rdkafka"}

HEADER = """\
Notices of third parties
========================

producer-svc, consumer-svc and audit are licensed under MIT OR Apache-2.0 (LICENSE-MIT, LICENSE-APACHE). Their binaries contain the software that
is listed here, under the licences that follow. Where a crate offers a choice of licences, the one under which it is listed was chosen.

Written by `{command}`; do not edit.
"""

STANDARD_LIBRARY = """\
The standard library of Rust {version} and the crates that it contains on Linux (addr2line, adler2, cfg-if, compiler_builtins, gimli,
hashbrown, libc, memchr, miniz_oxide, object, rustc-demangle) are copyright The Rust Project Developers and the authors of these crates.
They are used under Apache-2.0, compiler_builtins also under the LLVM exception to it, and Unicode data under Unicode-3.0. The texts of
Apache-2.0 and Unicode-3.0 are below. The GNU C library and libgcc are not part of the binaries: they belong to the base image.
"""


def cargo(*arguments):
    try:
        return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    except subprocess.CalledProcessError as error:
        sys.exit(f"cargo {arguments[0]} failed with exit code {error.returncode}")


def linked_crates():
    """Names and versions of all crates of others that are linked into the binaries."""
    linked = set()
    for target in TARGETS:
        tree = ["tree", *PACKAGES, "--locked", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none"]
        for line in cargo(*tree, "--format", "{p}").splitlines():
            # Crates of this workspace carry their path.
            if line and "(/" not in line:
                name, version = line.split()[:2]
                linked.add((name, version.removeprefix("v")))
    return linked


def packages():
    """All packages of the workspace by name and version."""
    platforms = [argument for target in TARGETS for argument in ("--filter-platform", target)]
    metadata = json.loads(cargo("metadata", "--locked", "--all-features", "--format-version", "1", *platforms))
    return {(package["name"], package["version"]): package for package in metadata["packages"]}


def folder(package):
    return pathlib.Path(package["manifest_path"]).parent


def read(file):
    """The text without what differs between copies of one licence: line ends, spaces at the end, empty lines around it."""
    lines = [line.rstrip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return "\n".join(lines).strip("\n")


def licence_of(package):
    """The licence that is chosen, and the texts of it in the package."""
    expression = package["license"]
    if not expression:
        sys.exit(f"{package['name']} {package['version']} names no licence: read its sources, and say here what it is")
    choices = [choice.strip() for choice in re.split(r" OR |/", expression)]
    if "Apache-2.0" in choices:
        return "Apache-2.0", [ROOT / "LICENSE-APACHE"]
    chosen = "MIT" if "MIT" in choices else choices[0]
    files = sorted(file for file in folder(package).iterdir() if re.match(r"licen[sc]e|copying", file.name, re.IGNORECASE))
    by_name = [file for file in files if chosen.lower() in file.name.lower()]
    return chosen, by_name if len(choices) > 1 and by_name else files


def sources_of_others(package):
    """Notices of a package, and licences of what its authors took over from others."""
    root = folder(package)
    notices = [file for file in root.iterdir() if re.match(r"notice|.*third.?party", file.name, re.IGNORECASE)]
    return sorted(notices + list(root.glob("src/**/LICENSE*")))


def library_version(root, version):
    file, pattern = version
    numbers = re.search(pattern, (root / file).read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    if not numbers:
        sys.exit(f"no version in {file}")
    # librdkafka writes its version in hexadecimal digits, the others in decimal ones.
    base = 16 if "0x" in pattern else 10
    return numbers[1] if "." in numbers[1] else ".".join(str(int(number, base)) for number in numbers.groups())


def notices():
    linked, known = linked_crates(), packages()
    latest = {name: known[name, version] for name, version in sorted(linked)}
    latest |= {name: package for (name, _), package in known.items() if name == "openssl-src"}
    # What is licensed under each text, in the order of the document.
    groups = {}

    def add(licence, text, what):
        groups.setdefault((licence, text), []).append(what)

    libraries, folders_of_libraries = [], set()
    for name, crate, version, files in LIBRARIES:
        root = folder(latest[crate])
        folders_of_libraries.add(crate)
        name = f"{name} {library_version(root, version)}"
        libraries.append(f"{name}, compiled from the sources in {crate} {latest[crate]['version']}")
        for file in files:
            add(name.split()[0], read(root / file), name)
        if crate == "rdkafka-sys":
            for file in sorted(root.glob(INSIDE_LIBRDKAFKA)):
                if file.name not in NOT_COMPILED:
                    part = file.name.removeprefix("LICENSE.")
                    libraries.append(f"  {part}, inside librdkafka")
                    add(part, read(file), f"{part} (inside librdkafka)")

    crates = []
    for name, version in sorted(linked):
        package = known[name, version]
        licence, files = licence_of(package)
        if not files and name in SAME_REPOSITORY:
            _, files = licence_of(latest[SAME_REPOSITORY[name]])
        if not files:
            sys.exit(f"{name} {version} ({package['license']}) has no licence file: read its sources, and say here which text holds")
        crates.append(f"{name} {version}: {licence}")
        for file in files:
            add(licence, read(file), f"{name} {version}")
        for file in [] if name in folders_of_libraries else sources_of_others(package):
            add(f"part of {name}", read(file), f"{name} {version}, {file.relative_to(folder(package))}")

    toolchain = re.search(r'channel = "([^"]+)"', (ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))[1]
    parts = [HEADER.format(command=COMMAND)]
    parts.append(title("C libraries") + "\n".join(libraries) + "\n")
    parts.append(title("Rust crates") + "\n".join(crates) + "\n")
    parts.append(title("Rust standard library") + STANDARD_LIBRARY.format(version=toolchain))
    for (licence, text), users in groups.items():
        parts.append(title(licence) + "For " + ";\n    ".join(users) + "\n\n" + text + "\n")
    return "\n".join(parts)


def title(text):
    return f"{'-' * 100}\n{text}\n{'-' * 100}\n\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    text = notices()
    if not arguments:
        NOTICES.write_text(text, encoding="utf-8")
        return
    there = NOTICES.read_text(encoding="utf-8") if NOTICES.exists() else ""
    if there != text:
        difference = list(difflib.unified_diff(there.splitlines(), text.splitlines(), NOTICES.name, "what is linked", n=0, lineterm=""))
        print("\n".join(difference[:30]))
        sys.exit(f"{NOTICES.name} is out of date: run `{COMMAND}` and read the difference")


if __name__ == "__main__":
    main(sys.argv[1:])
