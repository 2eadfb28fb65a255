from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchgen import dataset, manifest
from benchgen.columns import COLUMNS, problem_from_row, schema
from benchgen.dataset import read_rows, read_shard, shard_paths, synthesize
from benchgen.errors import InputError
from benchgen.executors import LocalExecutor, RayExecutor, Share
from benchgen.manifest import dataset_digest, read_manifest
from benchgen.plan import Plan, make_plan, suite_items

# Classes whose tables are built in a moment.
SMALL = {"tasks": ["interval_name", "note_completion"], "levels": [1]}


def text_plan(count: int = 600, **changed: object) -> Plan:
    asked = {"split": "train", "count": count, "seed": 7, **SMALL, **changed}
    return make_plan("sheet_music", **asked)  # type: ignore[arg-type]


def picture_plan(count: int = 70) -> Plan:
    return text_plan(count, modalities=["text", "image"], with_twins=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "d"
    synthesize(picture_plan(), folder)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "d"
    synthesize(text_plan(), folder)
    return folder


@pytest.fixture
def copy(texts: Path, tmp_path: Path) -> Path:
    """A dataset of the test's own, to spoil."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name, data in contents(texts).items():
        (folder / name).write_bytes(data)
    return folder


# Equal bytes


@pytest.mark.parametrize("executor", [LocalExecutor(2, "spawn"), LocalExecutor(5, "fork")])
def test_the_bytes_do_not_depend_on_the_number_of_processes(
    pictures: Path, tmp_path: Path, executor: LocalExecutor
) -> None:
    synthesize(picture_plan(), tmp_path / "d", executor=executor)
    assert contents(tmp_path / "d") == contents(pictures)


def test_the_bytes_do_not_depend_on_the_hash_seed(pictures: Path, tmp_path: Path) -> None:
    finish(tmp_path / "d", PYTHONHASHSEED="1234")
    assert contents(tmp_path / "d") == contents(pictures)


@pytest.mark.ray
@pytest.mark.slow
def test_ray_writes_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    result = synthesize(picture_plan(), tmp_path / "d", executor=RayExecutor(2))
    assert result.made == result.shards == 2
    assert contents(tmp_path / "d") == contents(pictures)


def test_another_seed_gives_other_items(texts: Path, tmp_path: Path) -> None:
    synthesize(text_plan(seed=8), tmp_path / "d")
    mine, other = (
        {row["id"] for row in read_rows(folder, ["id"])} for folder in (texts, tmp_path / "d")
    )
    assert not mine & other


# Killed and resumed

COMMAND = [
    *(sys.executable, "-m", "benchgen", "synth", "sheet_music", "--split", "train"),
    *("--count", "70", "--seed", "7", "--level", "1", "--modality", "text,image", "--twins"),
    *("--task", "interval_name,note_completion", "--workers", "2"),
]


def begin(folder: Path, *more: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "--out", str(folder), *more],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell starts what runs in the background deaf to Ctrl-C, and so is all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(folder: Path, *more: str, **environment: str) -> str:
    run = begin(folder, *more, **environment)
    output, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors.decode()
    return output.decode()


def wait_for(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + 120
    while not any(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.01)


def killed_at_random_moments(folder: Path, rounds: int, draw: random.Random) -> int:
    """Kill as many runs as asked, each within some seconds of its first writing; how many were.

    One that came to its end unharmed begins anew, and the next are killed sooner: how long
    a run takes is the machine's affair.
    """
    killed, longest = 0, 2.0
    for _ in range(8 * rounds):
        if killed == rounds:
            break
        run = begin(folder)
        wait_for(folder, "manifest.json")
        time.sleep(draw.uniform(0.0, longest))
        run.kill()
        run.communicate(timeout=60)
        if run.returncode == -signal.SIGKILL:
            killed += 1
            for shard in folder.glob("part-*.parquet"):
                pq.read_table(shard, page_checksum_verification=True)
        else:
            longest /= 2
            shutil.rmtree(folder)
    return killed


@pytest.mark.slow
def test_killed_at_random_moments_and_run_again_gives_the_same_bytes(
    pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    assert killed_at_random_moments(folder, 4, random.Random(20)) == 4
    finish(folder)
    assert contents(folder) == contents(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_many_times_and_run_again_gives_the_same_bytes(
    pictures: Path, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "d"
    assert killed_at_random_moments(folder, 6, random.Random(seed)) == 6
    finish(folder)
    assert contents(folder) == contents(pictures)


def test_killed_between_writing_and_renaming_leaves_no_shard_and_no_litter(
    texts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    script = (
        "import os, signal, sys; from pathlib import Path; import benchgen.files;\n"
        "from benchgen.cli import run\n"
        "put = benchgen.files._put\n"
        "def killed(temporary, path, data):\n"
        "    if path.name == 'part-00001.parquet': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    put(temporary, path, data)\n"
        "benchgen.files._put = killed\n"
        "run(sys.argv[1:])\n"
    )
    words = [
        *("synth", "sheet_music", "--split", "train", "--count", "600", "--seed", "7"),
        *("--task", "interval_name,note_completion", "--level", "1", "--out", str(folder)),
    ]
    killed = subprocess.run([sys.executable, "-c", script, *words], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ["manifest.json", "part-00000.parquet"]
    assert len(names) == 3 and names[2].endswith(".tmp")
    synthesize(text_plan(), folder)
    assert contents(folder) == contents(texts)


def test_ctrl_c_ends_in_one_line_and_can_go_on(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    # The second shard is a tenth of the first, which is still being made then; unless one worker
    # makes both, because the other began late: then the key is pressed sooner.
    for pattern in ("part-00001.parquet", "part-00000.parquet", "manifest.json"):
        run = begin(folder)
        wait_for(folder, pattern)
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=60)
        if run.returncode != 0:
            break
        shutil.rmtree(folder)
    # `python -m` ends itself by the signal, whatever it was told to exit with, where the key was
    # pressed inside an `exec` of text (a dataclass being made). A shell tells of 130 for both.
    assert run.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in errors.decode()
    assert errors.decode().splitlines()[-1].startswith("benchgen: interrupted")
    assert not list(folder.glob("*.tmp"))
    finish(folder)
    assert contents(folder) == contents(pictures)


def test_a_second_run_makes_nothing(copy: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    result = synthesize(text_plan(), copy)
    assert (result.made, result.shards, result.missing) == (0, 3, 0)
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def empty(data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("spoil", [cut, flip, empty])
@pytest.mark.parametrize("finished", [True, False])
def test_a_spoilt_shard_is_made_again(
    texts: Path, copy: Path, spoil: object, finished: bool
) -> None:
    shard = copy / "part-00001.parquet"
    shard.write_bytes(spoil(shard.read_bytes()))  # type: ignore[operator]
    if not finished:
        planned = manifest.planned_manifest(text_plan())
        manifest.write_manifest(copy, planned)
    result = synthesize(text_plan(), copy)
    assert result.made == 1
    assert contents(copy) == contents(texts)


def test_a_shard_of_another_dataset_is_not_taken_for_ours(texts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    synthesize(text_plan(seed=8), other)
    folder = tmp_path / "d"
    folder.mkdir()
    manifest.write_manifest(folder, manifest.planned_manifest(text_plan()))
    (folder / "part-00000.parquet").write_bytes((other / "part-00000.parquet").read_bytes())
    (folder / "part-00002.parquet").write_bytes((texts / "part-00001.parquet").read_bytes())
    assert synthesize(text_plan(), folder).made == 3
    assert contents(folder) == contents(texts)


# Several jobs


def test_jobs_share_the_work_and_the_last_completes_the_manifest(
    texts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    missing = []
    for job in (2, 3, 1):
        result = synthesize(text_plan(), folder, share=Share(job, 3))
        assert (result.made, result.shards) == (1, 1)
        assert result.manifest.complete == (job == 1)
        missing.append(result.missing)
    assert missing == [2, 1, 0]
    assert contents(folder) == contents(texts)


def test_jobs_at_the_same_time_give_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    jobs = [begin(folder, "--shard", f"{job}/2", "--workers", "1") for job in (1, 2)]
    for job in jobs:
        _, errors = job.communicate(timeout=300)
        assert job.returncode == 0, errors.decode()
    assert contents(folder) == contents(pictures)


def test_the_same_run_twice_at_the_same_time_gives_the_same_bytes(
    pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    runs = [begin(folder, "--workers", "1") for _ in range(2)]
    for run in runs:
        _, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors.decode()
    assert contents(folder) == contents(pictures)


# What a folder says


def test_the_manifest_states_versions_licence_counts_and_digests(texts: Path) -> None:
    read = read_manifest(texts)
    assert read.complete and read.rows == 600 and read.shard_count == 3
    assert read.suite["name"] == "sheet_music" and read.suite["licence"]
    assert "pyarrow" in read.versions and "verovio" in read.versions
    assert read.configuration["seed"] == 7 and read.configuration["modalities"] == ["text"]
    assert read.counts == {
        "sheet_music/interval_name": {"1": 300},
        "sheet_music/note_completion": {"1": 300},
    }
    assert [entry.rows for entry in read.shards] == [256, 256, 88]
    for entry in read.shards:
        data = (texts / entry.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256)
    assert read.digest == dataset_digest(entry.sha256 for entry in read.shards)


def test_a_file_holds_nothing_of_this_machine_or_moment(pictures: Path) -> None:
    for data in contents(pictures).values():
        assert os.fsencode(str(pictures.parent)) not in data
        assert time.strftime("%Y").encode() + b"-" not in data


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 601}, "count 600, now 601"),
        ({"seed": 8}, "seed 7, now 8"),
        ({"split": "test", "count": 100}, "split train, now test"),
        ({"modalities": ["image"]}, "modalities text, now image"),
        ({"with_twins": True}, "twins False, now True"),
    ],
)
def test_a_folder_of_another_configuration_is_refused_and_left_alone(
    copy: Path, changed: dict[str, object], said: str
) -> None:
    before = contents(copy)
    with pytest.raises(InputError) as caught:
        synthesize(text_plan(**changed), copy)  # type: ignore[arg-type]
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.update(format=99), "format 99"),
        (lambda record: record["versions"].update(pyarrow="1.0"), "pyarrow 1.0, now"),
        (lambda record: record["suite"].update(version="0"), "suite version 0, now"),
        (lambda record: record.pop("shards"), "not a manifest"),
    ],
)
def test_a_manifest_of_another_version_is_refused_and_left_alone(
    copy: Path, change: object, said: str
) -> None:
    file = copy / "manifest.json"
    record = json.loads(file.read_text())
    change(record)  # type: ignore[operator]
    file.write_text(json.dumps(record))
    before = contents(copy)
    with pytest.raises(InputError) as caught:
        synthesize(text_plan(), copy)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert contents(copy) == before


def test_shards_without_a_manifest_are_refused_and_left_alone(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    before = contents(copy)
    with pytest.raises(InputError, match="no manifest.json"):
        synthesize(text_plan(), copy)
    assert contents(copy) == before


def test_an_unwritable_folder_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        synthesize(text_plan(), tmp_path / "file" / "d")
    assert (tmp_path / "file").read_text() == ""


# Rows


def test_a_row_gives_back_the_problem_it_was_made_from(pictures: Path) -> None:
    plan = picture_plan()
    made = list(suite_items(plan, 0, plan.count))
    rows = list(read_rows(pictures))
    assert [problem_from_row(row) for row in rows] == made
    for row, problem in list(zip(rows, made, strict=True))[::97]:
        assert tuple(row) == COLUMNS
        assert row["text"] == problem.text()
        assert row["image"]["bytes"] == problem.images()[0]
        assert row["target"] == problem.target
        assert row["video"] is None


def test_what_was_not_asked_for_is_null(texts: Path, tmp_path: Path) -> None:
    assert all(row["image"] is None for row in read_rows(texts, ["image"]))
    synthesize(text_plan(3, modalities=["image"]), tmp_path / "d")
    rows = list(read_rows(tmp_path / "d", ["text", "image"]))
    assert all(row["text"] is None and row["image"]["bytes"][:4] == b"\x89PNG" for row in rows)


def test_twins_follow_their_item(pictures: Path) -> None:
    groups = [row["twin_group"] for row in read_rows(pictures, ["twin_group"])]
    assert len(groups) == 280
    assert all(len(set(groups[at : at + 4])) == 1 for at in range(0, 280, 4))
    assert len(set(groups)) == 70


def test_the_hub_library_reads_pictures_and_lists_by_itself(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loaded = datasets.load_dataset(
        "parquet",
        data_files=str(pictures / "*.parquet"),
        split="train",
        cache_dir=str(tmp_path),
    )
    assert len(loaded) == 280
    assert loaded.features["image"] == datasets.Image()
    assert loaded.features["options"] == datasets.List(datasets.Value("string"))
    assert loaded.features["level"] == datasets.Value("int32")
    assert loaded[0]["image"].size[0] > 50
    first = next(read_rows(pictures))
    raw = loaded.cast_column("image", datasets.Image(decode=False))[0]
    assert raw == first


def test_features_and_arrow_types_agree() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features.from_arrow_schema(schema())
    assert features.arrow_schema.remove_metadata() == schema().remove_metadata()
    assert list(features) == list(COLUMNS)


# Reading what is broken


def test_a_truncated_shard_is_named(copy: Path) -> None:
    shard = copy / "part-00001.parquet"
    shard.write_bytes(cut(shard.read_bytes()))
    with pytest.raises(InputError, match=r"part-00001.parquet.*truncated"):
        read_rows(copy)
    with pytest.raises(InputError, match="truncated or not a Parquet file"):
        list(read_shard(shard))


def test_a_damaged_page_is_told_not_decoded(copy: Path) -> None:
    shard = copy / "part-00001.parquet"
    shard.write_bytes(flip(shard.read_bytes()))
    with pytest.raises(InputError, match="damaged"):
        list(read_rows(copy))


def test_a_missing_shard_is_named(copy: Path) -> None:
    (copy / "part-00002.parquet").unlink()
    with pytest.raises(InputError, match=r"part-00002.parquet is missing"):
        read_rows(copy)


def test_an_incomplete_dataset_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    synthesize(text_plan(), tmp_path / "d", share=Share(1, 3))
    with pytest.raises(InputError, match="not complete .1 of 3 shards"):
        read_rows(tmp_path / "d")


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_dataset_is_bad_input(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        shard_paths(tmp_path / name)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "question": ["why?"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"lacks the columns .*target"):
        read_rows(tmp_path)
    with pytest.raises(InputError, match=r"lacks the column answer$"):
        read_rows(tmp_path, ["id", "answer"])
    assert list(read_rows(tmp_path, ["id"])) == [{"id": "a"}]
    with pytest.raises(InputError, match="lacks the columns task"):
        problem_from_row({"id": "a"})


def test_foreign_files_of_rows_are_read_without_a_manifest(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    assert sum(1 for _ in read_rows(copy)) == 600
    assert sum(1 for _ in read_rows(copy / "part-00000.parquet")) == 256


@pytest.mark.parametrize(
    "spoilt", [{"identity": "{"}, {"answer_type": "essay"}, {"answer": "nothing of it"}]
)
def test_a_row_that_is_no_problem_is_named(texts: Path, spoilt: dict[str, str]) -> None:
    row = next(read_rows(texts))
    with pytest.raises(InputError, match=row["id"]):
        problem_from_row(row | spoilt)


# Memory

RSS = """
import os, sys, tempfile
from pathlib import Path
from benchgen.dataset import read_rows, synthesize
from benchgen.plan import make_plan

def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

seen = []
with tempfile.TemporaryDirectory() as folder:
    for seed in range(int(sys.argv[1])):
        plan = make_plan("sheet_music", split="train", count=600, seed=seed, levels=[1],
                         tasks=["interval_name", "note_completion"], with_twins=True)
        synthesize(plan, Path(folder) / str(seed), progress=lambda done, all: seen.append(rss()))
        for row in read_rows(Path(folder) / str(seed)):
            pass
        seen.append(rss())
print(len(seen), seen[len(seen) // 3], seen[-1])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_shards() -> None:
    run = subprocess.run([sys.executable, "-c", RSS, "6"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    samples, early, late = map(int, run.stdout.split())
    assert samples > 60
    assert late - early < 24 * 2**20


def test_rows_are_read_a_batch_at_a_time(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = dataset.read_shard

    def noted(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, object]]:
        opened.append(file.name)
        return real(file, columns)

    monkeypatch.setattr(dataset, "read_shard", noted)
    rows = read_rows(texts, ["id"])
    next(rows)
    assert opened == ["part-00000.parquet"]
