"""The script that makes the environment, run for real among stand-ins of what it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PYTHON = """#!/bin/sh
case "$*" in
-c*) exit 0 ;;
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
"-m pip install"*)
    echo "$*" >>pip.calls
    [ ! -f pip.fails ] || { cat pip.fails; exit 1; } ;;
"-m compileall"*) echo "$*" >>compile.calls; exit 1 ;;
*) exit 9 ;;
esac
"""
STANDINS = {
    "python3.11": PYTHON,
    "nvidia-smi": "#!/bin/sh\necho 'has failed: no driver'; exit 9\n",
    "id": "#!/bin/sh\necho 1000\n",
    "sudo": "#!/bin/sh\necho 'a password is required' >&2; exit 1\n",
    "dpkg-query": "#!/bin/sh\nprintf 'install ok installed'\n",
    "apt-get": '#!/bin/sh\necho "apt-get $*" >>apt.calls\n',
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the script reads, in a path with a space, with stand-ins in ``bin``."""
    tree = tmp_path / "a tree"
    tree.mkdir()
    for name in ("setup", "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "requirements", tree / "requirements")
    (tree / "bin").mkdir()
    for name, text in STANDINS.items():
        stand_in(tree, name, text)
    return tree


def stand_in(tree: Path, name: str, text: str) -> None:
    file = tree / "bin" / name
    file.write_text(text)
    file.chmod(0o755)


def run(tree: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("DEVICE", "PYTHON")}
    path = f"{tree / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(tree / "setup"), *words],
        env={**clean, "PATH": path, **environment},
        capture_output=True,
        text=True,
    )


def pip_calls(tree: Path) -> list[str]:
    calls = tree / "pip.calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_packages_are_compiled_and_what_does_not_compile_stops_nothing(tree: Path) -> None:
    assert run(tree).returncode == 0
    (call,) = (tree / "compile.calls").read_text().splitlines()
    assert call.endswith(" .venv/lib")


def test_a_second_run_does_nothing_and_says_nothing(tree: Path) -> None:
    assert run(tree).returncode == 0
    calls = pip_calls(tree)
    assert any(call.endswith("--no-deps -r requirements/cpu.txt") for call in calls)
    assert any(call.endswith("--editable .") for call in calls)
    again = run(tree)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert pip_calls(tree) == calls


def test_a_changed_pin_is_installed(tree: Path) -> None:
    run(tree)
    before = len(pip_calls(tree))
    with (tree / "requirements" / "cpu.txt").open("a") as file:
        file.write("another==1.0\n")
    assert run(tree).returncode == 0
    assert len(pip_calls(tree)) == 2 * before


@pytest.mark.parametrize("name", ["verl", "hub-old"])
def test_what_wants_other_versions_has_an_environment_of_its_own(tree: Path, name: str) -> None:
    assert run(tree, name).returncode == 0
    calls = pip_calls(tree)
    assert calls[-1].endswith(f"--no-deps -r requirements/{name}.txt")
    assert not any("cpu.txt" in call or "--editable" in call for call in calls)
    assert not (tree / ".venv").exists() and (tree / f".venv-{name}" / "bin" / "python").exists()
    run(tree)
    assert any("cpu.txt" in call for call in pip_calls(tree)[len(calls) :])
    before = pip_calls(tree)
    with (tree / "pyproject.toml").open("a") as file:
        file.write("# not what it is made from\n")
    again = run(tree, name)
    assert (again.returncode, again.stderr, pip_calls(tree)) == (0, "", before)
    unknown = run(tree, "other")
    assert unknown.returncode != 0 and len(unknown.stderr.splitlines()) == 1


def test_a_run_that_failed_is_taken_up_again(tree: Path) -> None:
    (tree / "pip.fails").write_text("WARNING: noise\nERROR: the disk is full\n")
    failed = run(tree)
    assert failed.returncode != 0
    assert "the disk is full" in failed.stderr and "noise" not in failed.stderr
    assert "torch" not in failed.stderr
    (tree / "pip.fails").unlink()
    assert run(tree).returncode == 0
    assert pip_calls(tree)[-1].endswith("--editable .")


def test_where_the_cpu_build_of_torch_is_not_found_it_says_where_it_lies(tree: Path) -> None:
    (tree / "pip.fails").write_text("ERROR: No matching distribution found for torch==2.13.0+cpu")
    assert "PyTorch's install page" in run(tree).stderr


def test_a_listed_gpu_is_used_and_a_driverless_tool_is_none(tree: Path) -> None:
    assert run(tree).returncode == 0
    assert not any("gpu.txt" in call for call in pip_calls(tree))
    stand_in(tree, "nvidia-smi", "#!/bin/sh\necho 'GPU 0: a card (UUID: GPU-1)'\n")
    (tree / ".venv" / "of the other device").touch()
    assert run(tree).returncode == 0
    assert any(call.endswith("-r requirements/gpu.txt") for call in pip_calls(tree))
    assert not (tree / ".venv" / "of the other device").exists()


def test_the_device_can_be_chosen_and_is_checked(tree: Path) -> None:
    stand_in(tree, "nvidia-smi", "#!/bin/sh\necho 'GPU 0: a card (UUID: GPU-1)'\n")
    assert run(tree, DEVICE="cpu").returncode == 0
    assert any("cpu.txt" in call for call in pip_calls(tree))
    wrong = run(tree, DEVICE="tpu")
    assert wrong.returncode != 0
    assert wrong.stderr == "setup: DEVICE is cpu or gpu, not tpu\n"


def test_without_the_right_to_install_it_says_in_one_line_what_to_install(tree: Path) -> None:
    stand_in(tree, "dpkg-query", "#!/bin/sh\nexit 1\n")
    done = run(tree)
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if "apt-get install" in line]
    assert len(lines) == 1
    for package in ("chromium", "chromium-driver", "libtcmalloc-minimal4"):
        assert package in lines[0].split()
    assert not (tree / "apt.calls").exists()


def test_root_installs_only_what_is_missing(tree: Path) -> None:
    stand_in(tree, "id", "#!/bin/sh\necho 0\n")
    query = '#!/bin/sh\n[ "$4" = libcairo2 ] || printf "install ok installed"\n'
    stand_in(tree, "dpkg-query", query)
    assert run(tree).returncode == 0
    (call,) = (tree / "apt.calls").read_text().splitlines()
    assert call.split()[-1] == "libcairo2" and "chromium" not in call


def test_a_package_that_cannot_be_installed_is_named_and_the_rest_goes_on(tree: Path) -> None:
    stand_in(tree, "id", "#!/bin/sh\necho 0\n")
    stand_in(tree, "dpkg-query", "#!/bin/sh\nexit 1\n")
    stand_in(tree, "apt-get", "#!/bin/sh\nexit 100\n")
    done = run(tree)
    assert done.returncode == 0
    assert "could not install them" in done.stderr
    assert pip_calls(tree)[-1].endswith("--editable .")


def test_an_environment_that_someone_else_made_is_not_deleted(tree: Path) -> None:
    (tree / ".venv").mkdir()
    (tree / ".venv" / "precious").touch()
    refused = run(tree)
    assert refused.returncode != 0
    assert refused.stderr == "setup: .venv is not this script's: move it away\n"
    assert (tree / ".venv" / "precious").exists()


def test_no_python_is_said_in_one_line(tree: Path) -> None:
    refused = run(tree, PYTHON="no-such-python")
    assert refused.returncode != 0
    assert len(refused.stderr.splitlines()) == 1 and "Python 3.11" in refused.stderr


def test_the_lock_holds_every_pin_and_nothing_that_is_left_out() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        kept = [line for line in lines if line and not line.startswith("#")]
        return dict(line.replace("_", "-").split("==") for line in kept)

    asked, locked = pins("cpu.in"), pins("cpu.txt")
    assert {name: locked.get(name) for name in asked} == asked
    assert not locked.keys() & {"torchvision", "torchaudio", "torchcodec", "triton"}
    assert list(locked) == sorted(locked)
