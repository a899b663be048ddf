#!/usr/bin/env bash
# Draws docs/sandbox.svg, the picture of docs/sandbox.md: what the terminal shows while a replica of the sandbox is killed.
#
#   bash docs/picture.sh
#
# Needs Rust as the sandbox does, and Python 3 with the package index; takes half a minute when the sandbox is built.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet rich==15.0.0

cargo build --locked -p sandbox
"$environment/bin/python" docs/picture.py "${CARGO_TARGET_DIR:-target}/debug/sandbox" docs/sandbox.svg
