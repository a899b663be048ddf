"""Builds what is compared, in folders under `target/bench`. What is there already is used again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from comparison.process import Failed

PROJECT = Path(__file__).resolve().parent.parent.parent
BENCH = PROJECT / "bench"
CACHE = PROJECT / "target" / "bench"
PEERS = BENCH / "peers"

PYTHON_PACKAGES = ["confluent-kafka==2.16.1", "kafka-python==3.0.12"]
# Only what a comparison over plaintext needs: the build takes less time, and asks for no libraries.
CONFIGURE = ["--disable-ssl", "--disable-gssapi", "--disable-curl", "--disable-zstd", "--disable-lz4-ext"]


def execute(command, **options):
    """Runs a build step. Raises Failed with the end of its output."""
    result = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if result.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}:\n" + "\n".join(result.stdout.splitlines()[-8:]))
    return result.stdout


def services():
    """The folder with producer-svc, consumer-svc and audit, built with their default features."""
    execute(["cargo", "build", "--release", "--locked", "-p", "producer-svc", "-p", "consumer-svc", "-p", "audit"], cwd=PROJECT)
    return target_directory() / "release"


def cargo_metadata():
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    result = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def target_directory():
    return Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))


def librdkafka():
    """The folder of librdkafka with its example programs and `paced`, and its version: the one that the services are linked with, from
    the sources in the crate `rdkafka-sys`."""
    crate = next(package for package in cargo_metadata()["packages"] if package["name"] == "rdkafka-sys")
    version = crate["version"].partition("+")[2]
    folder = CACHE / f"librdkafka-{version}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(Path(crate["manifest_path"]).parent / "librdkafka", folder)
        folder.chmod(0o755)
        execute(["./configure", *CONFIGURE], cwd=folder)
        execute(["make", f"-j{os.cpu_count()}", "-C", "src", "librdkafka.a"], cwd=folder)
        execute(["make", "-C", "examples", "rdkafka_performance"], cwd=folder)
        (folder / "complete").touch()
    libraries = [folder / "src" / "librdkafka.a", "-lm", "-lz", "-lpthread", "-ldl"]
    execute(["cc", "-O2", "-Wall", "-Wextra", "-isystem", folder / "src", PEERS / "paced.c", "-o", folder / "paced", *libraries])
    return folder, version


def confluent_kafka_rust():
    """The program that uses Confluent's client for Rust."""
    manifest = PEERS / "confluent-kafka" / "Cargo.toml"
    target = CACHE / "confluent-kafka"
    execute(["cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target])
    return target / "release" / "confluent-kafka-peer"


def python():
    """A Python with the clients for Python."""
    venv = CACHE / "venv"
    marker = venv / "packages"
    if not marker.exists() or marker.read_text() != "\n".join(PYTHON_PACKAGES):
        execute([sys.executable, "-m", "venv", "--clear", venv])
        execute([venv / "bin" / "pip", "install", "--quiet", *PYTHON_PACKAGES])
        marker.write_text("\n".join(PYTHON_PACKAGES))
    return venv / "bin" / "python"
