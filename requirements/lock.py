"""Resolve cpu.in into cpu.txt: every package that is installed, at one exact version.

Run by ``make lock`` in the environment itself. What is left out is named here,
because pip cannot be told to leave a dependency out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

LEFT_OUT = {
    "torchaudio": "no audio here; a build for another torch breaks the import of vLLM",
    "torchcodec": "no video here; a build for another torch breaks the import of vLLM",
    # "operator torchvision::nms does not exist"
    "torchvision": "a build for another torch than the CPU one breaks the import of vLLM",
    "triton": "1 GB that has no CPU backend; vLLM runs without it",
}


def resolve(requirements: Path) -> dict[str, str]:
    """The version of every package that ``requirements`` comes to, by canonical name."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--report", "-", "--requirement", str(requirements)]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = (item["metadata"] for item in report["install"])
    return {canonical(package["name"]): package["version"] for package in packages}


def canonical(name: str) -> str:
    """A package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_text(versions: dict[str, str]) -> str:
    """The lock file: the header says what is left out and why."""
    lines = ["# Made by `make lock` from cpu.in; install with --no-deps. Left out:"]
    lines += [f"# * {name}: {why}" for name, why in sorted(LEFT_OUT.items())]
    kept = sorted(name for name in versions if name not in LEFT_OUT)
    lines += [f"{name}=={versions[name]}" for name in kept]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = lock_text(resolve(FOLDER / "cpu.in"))
    unfinished = FOLDER / "cpu.txt.tmp"
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, FOLDER / "cpu.txt")
