"""Which rows a board has, how they are grouped and how they are ranked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.blind import Blind
from leaderboards.board import Board, Entry, Figure, display_name, make_board, ranked
from leaderboards.records import read_runs


def board_of(*folders: Path, out: Path | None = None, blind: Blind | None = None) -> Board:
    return make_board(read_runs(folders), "board", out or folders[0].parent / "site", blind)


def entry(name: str, low: float, high: float, kind: str = "model", partial: bool = False) -> Entry:
    figure = Figure((low + high) / 2, low, high, 100)
    return Entry(name, kind, 100, figure, {}, {}, {}, partial=partial)


def names(board: Board, place: int = 0) -> dict[str, Entry]:
    return {entry.name: entry for entry in board.groups[place].entries}


def test_runs_on_different_data_never_share_a_table(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "m", digest="sha256:aa"),
        write_run(tmp_path / "b", "m", digest="sha256:bb"),
        write_run(tmp_path / "c", "n", digest="sha256:aa"),
    )
    tables = {g.digest: [e.name for e in g.entries if not e.baseline] for g in board.groups}
    assert {digest: sorted(rows) for digest, rows in tables.items()} == {
        "sha256:aa": ["m", "n"],
        "sha256:bb": ["m"],
    }


def test_text_and_image_are_two_tests_and_text_comes_first(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "i", "m", modality="image"), write_run(tmp_path / "t", "m")
    )
    assert [group.modality for group in board.groups] == ["text", "image"]


def test_chance_follows_the_number_of_options(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "a", options=5))
    assert board.groups[0].chance == pytest.approx(0.2)
    chance = names(board)["chance"]
    assert chance.kind == "chance" and chance.accuracy is not None
    assert chance.accuracy.value == pytest.approx(0.2)
    assert chance.accuracy.low is None
    assert set(chance.categories) == {"interval", "chord", "scale", "rhythm"}


def test_scripted_readers_are_baselines_and_have_no_rank(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "g", "gold", engine="scripted:gold", skill=1.0),
        write_run(tmp_path / "r", "random", engine="scripted:random", skill=0.25),
        write_run(tmp_path / "p", "always A", engine="scripted:position", skill=0.25),
        write_run(tmp_path / "m", "model", skill=0.5),
    )
    rows = names(board)
    assert rows["perfect reader"].kind == "perfect"
    assert rows["random reader"].kind == "random"
    assert rows["always A"].kind == "scripted"
    assert rows["model"].rank == 1
    assert [e.name for e in board.groups[0].entries if e.rank is not None] == ["model"]
    assert board.groups[0].entries[0].name == "perfect reader"


def test_a_model_cannot_pass_for_a_baseline_by_its_name(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "m", "scripted:gold", engine="vllm"))
    assert names(board)["scripted:gold"].kind == "model"


def test_a_run_over_fewer_problems_is_shown_but_not_ranked(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "few", "lucky", skill=1.0, asked=20),
        write_run(tmp_path / "all", "plain", skill=0.3),
    )
    rows = names(board)
    assert rows["lucky"].partial and rows["lucky"].rank is None and rows["lucky"].problems == 20
    assert rows["plain"].rank == 1 and board.groups[0].problems == 144


def test_errors_make_a_run_partial_and_are_counted(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "flaky", "flaky", errors=3), write_run(tmp_path / "sound", "sound")
    )
    row = names(board)["flaky"]
    assert row.partial and row.errors == 3 and row.problems == 141
    assert row.outcomes is not None and row.outcomes["error"] == pytest.approx(3 / 144)


def test_a_baseline_over_more_problems_makes_no_model_partial(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "gold", "gold", engine="scripted:gold", skill=1.0),
        write_run(tmp_path / "model", "model", asked=50),
    )
    assert names(board)["model"].rank == 1
    assert board.groups[0].problems == 50 and board.groups[0].data_problems == 144


def test_figures_are_those_of_the_run(write_run, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "m", "m", twins=True, unparsed=0.2, truncated=0.1, tokens=100)
    (run,) = read_runs([folder])
    row = names(board_of(folder))["m"]
    whole = run.metrics.overall
    assert row.accuracy == Figure(whole.accuracy, whole.low, whole.high, 144)
    assert row.outcomes is not None
    assert row.outcomes["unparsed"] == whole.outcomes["unparsed"] / 144 > 0
    assert row.outcomes["truncated"] == whole.outcomes["truncated"] / 144 > 0
    assert run.metrics.twins is not None and row.twins is not None
    assert row.twins.value == run.metrics.twins.rate and row.twins.problems == 36
    assert row.tokens == run.metrics.tokens.completion / 144


def test_replies_without_counted_tokens_are_not_the_shortest(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "g", engine="scripted:gold", skill=1.0, tokens=0))
    assert names(board)["perfect reader"].tokens is None


def test_intervals_that_overlap_share_a_rank() -> None:
    rows = [entry("c", 0.1, 0.2), entry("a", 0.5, 0.7), entry("b", 0.4, 0.6), entry("d", 0.3, 0.45)]
    assert [(e.name, e.rank) for e in ranked(rows)] == [("a", 1), ("b", 1), ("d", 2), ("c", 4)]


def test_baselines_and_partial_runs_push_no_one_down() -> None:
    rows = [
        entry("gold", 0.98, 1.0, kind="perfect"),
        entry("few", 0.8, 0.9, partial=True),
        entry("m", 0.2, 0.3),
    ]
    assert [(e.name, e.rank) for e in ranked(rows)] == [("gold", None), ("few", None), ("m", 1)]


INTERVALS = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(st.lists(INTERVALS, min_size=1, max_size=12))
def test_ranks_respect_the_intervals(spans: list[list[float]]) -> None:
    rows = ranked([entry(f"m{i}", low, high) for i, (low, high) in enumerate(spans)])
    assert rows[0].rank == 1
    for one in rows:
        for other in rows:
            assert one.accuracy and other.accuracy and one.rank and other.rank
            if one.accuracy.low > other.accuracy.high:  # type: ignore[operator]
                assert one.rank < other.rank


def test_the_blind_predictor_stands_only_where_it_was_measured(write_run, tmp_path: Path) -> None:
    folders = (
        write_run(tmp_path / "a", suite="sheet_music"),
        write_run(tmp_path / "b", suite="specbench", digest="sha256:bb"),
    )
    board = board_of(*folders, blind=Blind("medoid", 0.27, "sheet_music", "test"))
    shares = {group.suite: group.blind for group in board.groups}
    assert shares == {"sheet_music": 0.27, "specbench": None}
    assert "best blind predictor" in names(board)
    assert "best blind predictor" not in names(board, 1)


def test_a_near_report_is_linked_relatively_and_a_far_one_not(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs" / "one run", "m")
    near = board_of(run, out=tmp_path / "site")
    assert names(near)["m"].report == "../runs/one run/report.html"
    far = board_of(run, out=tmp_path / "a" / "b" / "c" / "d" / "site")
    assert names(far)["m"].report is None
    bare = write_run(tmp_path / "bare", "m", report=False)
    assert names(board_of(bare))["m"].report is None


def test_folders_of_this_machine_are_not_published(write_run, tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "m",
        "/home/someone/models/tiny-model",
        settings={"model": "/home/someone/models/tiny-model", "versions": {"at": "/home/x/y"}},
    )
    row = names(board_of(folder))["tiny-model"]
    assert "someone" not in repr(row) and "/home" not in repr(row)
    assert display_name("Qwen/Qwen3") == "Qwen/Qwen3"
