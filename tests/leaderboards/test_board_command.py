"""``benchgen board``: what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchgen.errors import InputError
from leaderboards import build as build_module
from leaderboards.command import build


def audit_file(folder: Path, **fields: object) -> Path:
    path = folder / "audit.json"
    best = {"name": "pairwise logistic", "accuracy": 0.262, **fields}
    path.write_text(json.dumps({"passed": True, "best_blind": best}), "utf-8")
    return path


def contents(site: Path) -> dict[str, bytes]:
    files = (path for path in site.rglob("*") if path.is_file())
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in files}


def test_a_board_is_a_whole_site_and_nothing_left_over(write_run, tmp_path: Path) -> None:
    summary = build([write_run(tmp_path / "r", "m")], tmp_path / "out" / "site")
    site = tmp_path / "out" / "site"
    (key,) = (p.stem for p in (site / "records").iterdir())
    assert sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()) == [
        "board.csv", "board.json", f"every_eval_ever/{key}.json", "index.html",
        f"records/{key}.json", f"runs/{key}.html",
    ]  # fmt: skip
    assert summary["page"] == str(site / "index.html")
    assert [row["kind"] for row in summary["tests"][0]["rows"]] in (
        ["model", "chance"],
        ["chance", "model"],
    )
    json.dumps(summary)


def test_the_same_runs_give_the_same_bytes(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "m"), write_run(tmp_path / "b", "n")]
    build(runs, tmp_path / "one")
    build(runs, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_bad_run_leaves_an_older_board_alone(write_run, tmp_path: Path) -> None:
    site = tmp_path / "site"
    good = write_run(tmp_path / "good")
    build([good], site)
    before = contents(site)
    with pytest.raises(InputError):
        build([good, tmp_path / "nothing"], site)
    assert contents(site) == before


def test_a_crash_while_writing_leaves_the_older_page_whole(
    write_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    build([write_run(tmp_path / "a", "old")], site)
    before = contents(site)
    real = build_module.write_whole

    def full_disk(path: Path, data: bytes) -> None:
        if path.name == "index.html":
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(build_module, "write_whole", full_disk)
    with pytest.raises(InputError, match="No space left"):
        build([write_run(tmp_path / "b", "new")], site)
    after = contents(site)
    assert after["index.html"] == before["index.html"]
    assert {name for name in before if name.startswith(("runs/", "records/"))} <= after.keys()


def test_an_out_folder_that_is_a_file_is_refused(write_run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(InputError, match="file"):
        build([write_run(tmp_path / "r")], tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"best_blind": null}', '{"best_blind": {"name": "x", "accuracy": 7}}',
     '{"best_blind": {"name": 3, "accuracy": 0.3}}', '{"best_blind": {"name": "x"}}'],
)  # fmt: skip
def test_what_is_no_audit_is_refused(write_run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"audit\.json"):
        build([write_run(tmp_path / "r")], tmp_path / "site", path)
    assert not (tmp_path / "site").exists()


def test_an_audit_of_another_suite_or_split_is_refused(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "r")
    for task, split in (("specbench/x", "test"), ("sheet_music/x", "train")):
        with pytest.raises(InputError, match="another suite, split or set of tasks"):
            build([run], tmp_path / "site", audit_file(tmp_path, task=task, split=split))
    assert not (tmp_path / "site").exists()


def test_an_audit_of_one_task_does_not_speak_for_all(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "r")
    audit = audit_file(tmp_path, task="sheet_music/meter", split="test")
    record = json.loads(audit.read_text("utf-8"))
    record["cells"] = [{"task": "sheet_music/meter", "level": 1}]
    audit.write_text(json.dumps(record), "utf-8")
    with pytest.raises(InputError, match="set of tasks"):
        build([run], tmp_path / "site", audit)


def test_the_best_blind_predictor_is_a_marked_row(write_run, tmp_path: Path) -> None:
    audit = audit_file(tmp_path, task="sheet_music/meter", level=2, split="test")
    summary = build([write_run(tmp_path / "r")], tmp_path / "site", audit)
    row = next(row for row in summary["tests"][0]["rows"] if row["kind"] == "blind")
    assert row == {
        "name": "best blind predictor", "kind": "blind", "rank": None, "tied": False,
        "accuracy": 0.262,
    }  # fmt: skip
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "pairwise logistic" in page


def test_a_run_that_left_the_board_leaves_no_page_or_record(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "one"), write_run(tmp_path / "b", "two")]
    site = tmp_path / "site"
    build(runs, site)
    (site / "CNAME").write_text("board.example", "utf-8")
    build(runs[1:], site)
    names = contents(site)
    assert not [name for name in names if "one-" in name]
    assert "CNAME" in names, "what is not the board's is not touched"


def test_a_board_removes_nothing_that_is_not_a_boards(write_run, tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", "one")
    build([first], tmp_path / "old")
    (record,) = (tmp_path / "old" / "records").iterdir()
    folder = tmp_path / "mine"
    theirs = {"records/alice.json": record.read_bytes(), "records/bob.json": b"{}",
              "runs/notes.html": b"x", f"records/{record.name}.bak": b"y"}  # fmt: skip
    for name, data in theirs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for _ in range(2):
        build([folder / "records" / "alice.json"], folder)
        found = contents(folder)
        assert {name: found[name] for name in theirs} == theirs


def test_a_board_is_made_again_of_its_own_records(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "one", twins=True),
            write_run(tmp_path / "b", "two", twins=True)]  # fmt: skip
    build(runs, tmp_path / "first")
    build(sorted((tmp_path / "first" / "records").iterdir()), tmp_path / "again")
    first, again = contents(tmp_path / "first"), contents(tmp_path / "again")
    assert {n: b for n, b in first.items() if n.startswith(("records/", "every"))} == {
        n: b for n, b in again.items() if n.startswith(("records/", "every"))
    }
    one, two = (json.loads(found["board.json"]) for found in (first, again))
    for entry in one["entries"]:
        entry["samples"] = None  # a record holds no replies
    assert one == two


def test_a_board_made_again_in_place_keeps_its_pages_of_samples(write_run, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build([write_run(tmp_path / "a", "one"), write_run(tmp_path / "b", "two")], site)
    before = contents(site)
    build(sorted((site / "records").iterdir()), site)
    assert contents(site) == before
    # What lies beside the records of another board may be anybody's.
    build(sorted((site / "records").iterdir()), tmp_path / "other")
    assert not (tmp_path / "other" / "runs").exists()


def test_a_fresh_draw_stands_beside_its_public_set(write_run, tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "p", "leaked", skill=0.9, digest="aa11", recipe="r"),
        write_run(tmp_path / "f", "leaked", skill=0.4, digest="bb22", recipe="r"),
        write_run(tmp_path / "q", "honest", skill=0.5, digest="aa11", recipe="r"),
        write_run(tmp_path / "g", "honest", skill=0.5, digest="bb22", recipe="r"),
    ]
    build(runs, tmp_path / "site", fresh=["bb"])
    board = json.loads((tmp_path / "site" / "board.json").read_text("utf-8"))
    assert [(t["data"], t["fresh_of"]) for t in board["tests"]] == [("aa11", None), ("bb22", 0)]
    assert board["overall"] == [], "a fresh draw is no test of its own"
    gaps = {board["entries"][g["public"]]["name"]: g for g in board["gaps"]}
    assert gaps["leaked"]["flagged"] and gaps["leaked"]["low"] > 0.3
    assert not gaps["honest"]["flagged"] and gaps["honest"]["low"] < 0 < gaps["honest"]["high"]


@pytest.mark.parametrize(
    ("fresh", "line"),
    [("cc", "names none"), ("", "names none"), ("a", "names 2"), ("ab", "no fresh draw")],
)
def test_a_fresh_draw_of_nothing_is_refused(
    write_run, tmp_path: Path, fresh: str, line: str
) -> None:
    runs = [write_run(tmp_path / "p", digest="aa11", recipe="r"),
            write_run(tmp_path / "f", digest="ab22", recipe="other")]  # fmt: skip
    with pytest.raises(InputError, match=line):
        build(runs, tmp_path / "site", fresh=[fresh])
    assert not (tmp_path / "site").exists()
