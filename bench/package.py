"""What it costs to open a document package, stored as our client writes it and deflated as the Java client does.

The floor, in the same run, is the SHA-256 and CRC-32 of its document and one RSA verification.

    .venv/bin/python bench/package.py
"""

import os
import statistics
import sys
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from certificates import NOW, Authority
from clients import JAVA, package
from segl.core import asice
from segl.core.asice import PackageFile

ROOT = Authority.root()
KEY = ROOT.intermediate().organization("123456789")
PUBLIC_KEY = KEY.certificate.public_key()
SIGNED = KEY.sign(b"signed")
ROUNDS = 30


def main() -> None:
    contract = (Path(__file__).parents[1] / "demo" / "contract.pdf").read_bytes()
    for name, content in (("43 KB", contract), ("10 MB", os.urandom(10_000_000))):
        floor = milliseconds(lambda content=content: checked(content))  # type: ignore[misc]  # of this round
        print(f"{name} floor {floor:6.2f} ms")
        files = {"contract.pdf": content, "manifest.xml": b"<manifest/>"}
        ours = asice.build(
            manifest=files["manifest.xml"],
            documents=[PackageFile("contract.pdf", "application/pdf", content)],
            key=KEY,
            signing_time=NOW,
        )
        for shape, data in (("stored, as our SDK's", ours), ("deflated, as Java's", package(JAVA, files, KEY))):
            took = milliseconds(lambda data=data: opened(data))  # type: ignore[misc]  # of this round
            print(f"  {shape:20} {took:6.2f} ms: {took / floor:.1f} x the floor")


def checked(content: bytes) -> None:
    sha256(content).digest()
    zlib.crc32(content)
    if isinstance(PUBLIC_KEY, RSAPublicKey):
        PUBLIC_KEY.verify(SIGNED, b"signed", padding.PKCS1v15(), SHA256())


def opened(data: bytes) -> None:
    asice.open_package(
        data, trust=ROOT.trust(), now=NOW, tolerance=timedelta(seconds=5), expected_signer=KEY.certificate
    )


def milliseconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
