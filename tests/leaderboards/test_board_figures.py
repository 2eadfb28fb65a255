"""Which rows a board has, how they are grouped and how they are ranked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evaluators.configuration import Prompting, display_name
from evaluators.run_directory import read_run
from leaderboards.blind import Blind
from leaderboards.board import Board, make_board
from leaderboards.entries import Entry, Figure
from leaderboards.overall import weights_of
from leaderboards.records import read_sources


def board_of(*folders: Path, blind: Blind | None = None) -> Board:
    return make_board(read_sources(folders), "board", blind)


def rows(board: Board, place: int = 0) -> dict[str, Entry]:
    return {entry.name: entry for entry in board.entries if entry.test == place}


def models(board: Board, place: int = 0) -> list[str]:
    return [e.name for e in board.entries if e.test == place and e.kind == "model"]


def test_runs_on_different_data_never_share_a_table(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "m", digest="sha256:aa"),
        write_run(tmp_path / "b", "m", digest="sha256:bb"),
        write_run(tmp_path / "c", "n", digest="sha256:aa"),
    )
    tables = {test.data: sorted(models(board, place)) for place, test in enumerate(board.tests)}
    assert tables == {"sha256:aa": ["m", "n"], "sha256:bb": ["m"]}


def test_text_and_image_are_two_tests_and_text_comes_first(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "i", "m", modality="image"), write_run(tmp_path / "t", "m")
    )
    assert [test.modality for test in board.tests] == ["text", "image"]


def test_keys_can_stand_in_addresses_and_name_one_row_each(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "../../etc/passwd"),
        write_run(tmp_path / "b", "<script>", modality="image"),
        write_run(tmp_path / "c", "名前"),
        write_run(tmp_path / "d", "名", suite="a/../b"),
    )
    keys = [test.key for test in board.tests] + [entry.key for entry in board.entries]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") and key[0] != "."
        assert ".." not in key


def test_chance_follows_the_number_of_options(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "a", options=5))
    assert board.tests[0].chance == pytest.approx(0.2)
    chance = rows(board)["chance"]
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
    found = rows(board)
    assert found["perfect reader"].kind == "perfect"
    assert found["random reader"].kind == "random"
    assert found["always A"].kind == "scripted"
    assert found["model"].rank == 1
    assert [entry.name for entry in board.entries if entry.rank is not None] == ["model"]
    assert board.entries[0].name == "perfect reader"


def test_a_model_that_was_shown_nothing_is_a_baseline(write_run, tmp_path: Path) -> None:
    unseen = Prompting(stimulus="none")
    board = board_of(
        write_run(tmp_path / "m", "m"), write_run(tmp_path / "b", "m", prompting=unseen, seed=1)
    )
    (blind,) = [entry for entry in board.entries if entry.kind == "blind"]
    assert blind.rank is None and "nothing shown" in blind.method


def test_a_model_cannot_pass_for_a_baseline_by_its_name(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "m", "scripted:gold", engine="vllm"))
    assert rows(board)["scripted:gold"].kind == "model"


def test_a_run_over_fewer_problems_is_shown_but_not_ranked(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "few", "lucky", skill=1.0, asked=20),
        write_run(tmp_path / "all", "plain", skill=0.3),
    )
    found = rows(board)
    assert found["lucky"].partial and found["lucky"].rank is None and found["lucky"].problems == 20
    assert found["plain"].rank == 1 and board.tests[0].problems == 144


def test_errors_make_a_run_partial_and_are_counted(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "flaky", "flaky", errors=3), write_run(tmp_path / "sound", "sound")
    )
    row = rows(board)["flaky"]
    assert row.partial and row.errors == 3 and row.problems == 141
    assert row.outcomes is not None and row.outcomes["error"] == pytest.approx(3 / 144)


def test_a_baseline_over_more_problems_makes_no_model_partial(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "gold", "gold", engine="scripted:gold", skill=1.0),
        write_run(tmp_path / "model", "model", asked=50),
    )
    assert rows(board)["model"].rank == 1
    assert board.tests[0].problems == 50 and board.tests[0].data_problems == 144


def test_figures_are_those_of_the_run(write_run, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "m", "m", twins=True, unparsed=0.2, truncated=0.1, tokens=100)
    run = read_run(folder)
    row = rows(board_of(folder))["m"]
    whole = run.metrics.overall
    assert row.accuracy == Figure(whole.accuracy, whole.low, whole.high, 144)
    assert row.outcomes is not None
    assert row.outcomes["unparsed"] == whole.outcomes["unparsed"] / 144 > 0
    assert row.outcomes["truncated"] == whole.outcomes["truncated"] / 144 > 0
    assert run.metrics.twins is not None and row.twins is not None
    assert row.twins.value == run.metrics.twins.rate and row.twins.problems == 36
    assert row.quantities["tokens per reply"] == run.metrics.tokens.completion / 144
    assert row.quantities["seconds per reply"] == 0.5


def test_replies_without_counted_tokens_are_not_the_shortest(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "g", engine="scripted:gold", skill=1.0, tokens=0))
    assert "tokens per reply" not in rows(board)["perfect reader"].quantities


def test_models_that_the_paired_test_tells_apart_have_ranks_of_their_own(
    write_run, tmp_path: Path
) -> None:
    board = board_of(
        *(write_run(tmp_path / f"m{i}", f"m{i}", skill=skill, problems=400)
          for i, skill in enumerate((0.9, 0.5, 0.49, 0.1)))
    )  # fmt: skip
    ranked = [(e.rank, e.tied) for e in board.entries if e.kind == "model"]
    assert ranked == [(1, False), (2, True), (2, True), (4, False)]


def test_baselines_and_partial_runs_push_no_one_down(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "g", "gold", engine="scripted:gold", skill=1.0),
        write_run(tmp_path / "few", "few", skill=0.9, asked=20),
        write_run(tmp_path / "m", "m", skill=0.2),
    )
    assert [(e.name, e.rank) for e in board.entries if e.rank is not None] == [("m", 1)]


def test_runs_of_twins_are_ranked_by_groups_of_twins(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "a", twins=True, skill=0.9),
        write_run(tmp_path / "b", "b", twins=True, skill=0.3),
    )
    lower = [entry for entry in board.entries if entry.kind == "model"][1]
    assert lower.rank == 2 and lower.above is not None
    assert lower.above.test == "sign flip" and lower.above.effect < 0


def test_the_overall_mean_is_of_models_that_took_every_test(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "at", "both", skill=0.8),
        write_run(tmp_path / "ai", "both", skill=0.4, modality="image"),
        write_run(tmp_path / "bt", "one", skill=0.9),
        write_run(tmp_path / "ct", "seeds", skill=0.9, seed=1),
        write_run(tmp_path / "ci", "seeds", skill=0.9, modality="image", seed=2),
        write_run(tmp_path / "dt", "other rung", skill=0.5, max_tokens=64),
        write_run(tmp_path / "di", "other rung", skill=0.5, modality="image"),
    )
    assert board.overall_tests == (0, 1)
    found = {(row.name, row.rung): row for row in board.overall}
    both = found["both", "1 reply of 512 tokens"]
    parts = [board.entries[place].accuracy for place in both.entries if place is not None]
    assert both.mean is not None and both.mean.problems == 288
    assert both.mean.value == pytest.approx(sum(p.value for p in parts if p is not None) / 2)
    assert [row.name for row in board.overall if row.mean is not None] == ["both", "chance"]
    assert found["one", "1 reply of 512 tokens"].entries[1] is None
    assert ("other rung", "1 reply of 64 tokens") in found


def test_a_lucky_few_take_no_place_in_the_overall_board(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "t", "m", skill=0.5),
        write_run(tmp_path / "i", "m", skill=0.4, modality="image"),
        write_run(tmp_path / "few", "m", skill=1.0, asked=20),
    )
    (row,) = (row for row in board.overall if row.kind == "model")
    assert row.mean is not None and row.rank == 1
    assert [board.entries[i].problems for i in row.entries if i is not None] == [144, 144]


def test_a_model_of_several_seeds_has_a_row_for_each(write_run, tmp_path: Path) -> None:
    board = board_of(
        *(write_run(tmp_path / f"{modality}{seed}", "m", modality=modality, seed=seed)
          for modality in ("text", "image") for seed in (0, 1))
    )  # fmt: skip
    rows = [row for row in board.overall if row.kind == "model"]
    assert sorted(str(row.seed) for row in rows) == ["0", "1"]
    assert all(row.mean is not None for row in rows)


def test_baselines_have_a_mean_and_no_rank(write_run, tmp_path: Path) -> None:
    board = board_of(
        *(write_run(tmp_path / f"{modality}-{name}", name, modality=modality, engine=engine,
                    skill=skill)
          for modality in ("text", "image")
          for name, engine, skill in (("gold", "scripted:gold", 1.0), ("m", "vllm", 0.5))),
        blind=Blind("medoid", 0.27, "sheet_music", "test"),
    )  # fmt: skip
    found = {row.name: row for row in board.overall}
    assert list(found) == ["perfect reader", "m", "best blind predictor", "chance"]
    means = {name: row.mean.value for name, row in found.items() if row.mean is not None}
    assert means["perfect reader"] == 1.0 and means["chance"] == 0.25
    assert means["best blind predictor"] == pytest.approx(0.27)
    assert [row.rank for row in board.overall] == [None, 1, None, None]
    mean = found["m"].mean
    assert mean is not None and mean.low is not None and mean.high is not None
    assert mean.low < mean.value < mean.high


def test_overall_ranks_are_by_the_problems_of_all_tests(write_run, tmp_path: Path) -> None:
    skills = {"a": (0.9, 0.9), "b": (0.9, 0.45), "c": (0.44, 0.9), "d": (0.1, 0.1)}
    board = board_of(
        *(write_run(tmp_path / f"{name}{place}", name, skill=skill, digest=f"d{place}",
                    problems=(200, 120)[place], suite=f"suite_{place}")
          for name, both in skills.items() for place, skill in enumerate(both))
    )  # fmt: skip
    models_ = [row for row in board.overall if row.kind == "model"]
    assert models_[0].name == "a" and models_[-1].name == "d"
    assert [(row.rank, row.tied) for row in models_] == [
        (1, False), (2, True), (2, True), (4, False)
    ]  # fmt: skip
    last = models_[-1]
    assert last.above is not None and last.mean is not None and models_[-2].mean is not None
    assert last.above.effect == pytest.approx(last.mean.value - models_[-2].mean.value)


def test_one_picture_and_its_text_are_one_cluster(write_run, tmp_path: Path) -> None:
    # The same replies to the same problems in two modalities tell as much as in one.
    runs = [write_run(tmp_path / m, "m", modality=m, skill=0.5) for m in ("text", "image")]
    lines = (runs[0] / "samples-00000.jsonl").read_text("utf-8")
    (runs[1] / "samples-00000.jsonl").write_text(lines, "utf-8")
    shutil.copy(runs[0] / "metrics.json", runs[1] / "metrics.json")
    board = board_of(*runs)
    (row,) = (row for row in board.overall if row.kind == "model")
    (text, _) = (board.entries[i] for i in row.entries if i is not None)
    assert row.mean is not None and text.accuracy is not None
    assert row.mean.value == text.accuracy.value
    assert row.mean.low == pytest.approx(text.accuracy.low, abs=2e-3)
    assert row.mean.high == pytest.approx(text.accuracy.high, abs=2e-3)


def test_several_samples_make_the_mean_as_sure_as_its_tests_are(write_run, tmp_path: Path) -> None:
    board = board_of(
        *(write_run(tmp_path / f"t{place}", "m", samples=8, skill=0.5, digest=f"d{place}",
                    suite=f"suite_{place}", seed=7)
          for place in range(2))
    )  # fmt: skip
    (row,) = (row for row in board.overall if row.kind == "model")
    alone = [board.entries[i].accuracy for i in row.entries if i is not None]
    widths = [figure.high - figure.low for figure in (row.mean, *alone)]  # type: ignore[union-attr, operator]
    # Two tests that share no cluster are surer than either.
    assert widths[0] < 0.8 * min(widths[1:])


def test_clusters_that_cannot_be_told_make_no_interval_and_no_rank(
    write_run, tmp_path: Path
) -> None:
    board = board_of(
        write_run(tmp_path / "t", "m", skill=0.5),
        write_run(tmp_path / "i", "m", skill=0.5, modality="image", asked=100),
    )
    (row,) = (row for row in board.overall if row.kind == "model")
    assert row.mean is not None and (row.mean.low, row.mean.high, row.rank) == (None, None, None)


def test_a_baseline_over_a_few_problems_has_no_mean(write_run, tmp_path: Path) -> None:
    board = board_of(
        *(write_run(tmp_path / f"{modality}-{name}", name, modality=modality, engine=engine,
                    asked=10 if engine != "vllm" and modality == "text" else None)
          for modality in ("text", "image")
          for name, engine in (("random", "scripted:random"), ("m", "vllm")))
    )  # fmt: skip
    means = {row.name: row.mean for row in board.overall}
    assert means["random reader"] is None and means["m"] is not None


@pytest.mark.parametrize(
    ("sizes", "weights"),
    [((720, 720), [1, 1]), ((200, 120), [3, 5]), ((1319, 1172), [8, 9]), ((5000, 50), [1, 100])],
)
def test_weights_are_small_whole_numbers(sizes: tuple[int, ...], weights: list[int]) -> None:
    assert weights_of(sizes) == weights


def test_an_aborted_longer_run_takes_the_rank_from_nobody(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "a", asked=100, skill=0.9),
        write_run(tmp_path / "b", "b", asked=100, skill=0.2),
        write_run(tmp_path / "c", "c", skill=0.5, errors=3),
    )
    assert {e.name: e.rank for e in board.entries if e.kind == "model"} == {
        "a": 1, "b": 2, "c": None
    }  # fmt: skip


def test_one_test_has_no_overall_board(write_run, tmp_path: Path) -> None:
    board = board_of(write_run(tmp_path / "a", "m"))
    assert board.overall == () and board.overall_tests == ()


def test_the_blind_predictor_stands_only_where_it_was_measured(write_run, tmp_path: Path) -> None:
    folders = (
        write_run(tmp_path / "a", suite="sheet_music"),
        write_run(tmp_path / "b", suite="specbench", digest="sha256:bb"),
    )
    board = board_of(*folders, blind=Blind("medoid", 0.27, "sheet_music", "test"))
    assert {t.suite: t.blind for t in board.tests} == {"sheet_music": 0.27, "specbench": None}
    assert "best blind predictor" in rows(board)
    assert "best blind predictor" not in rows(board, 1)


def test_a_run_with_a_report_leads_to_its_samples(write_run, tmp_path: Path) -> None:
    board = board_of(
        write_run(tmp_path / "a", "with"), write_run(tmp_path / "b", "without", report=False)
    )
    found = rows(board)
    assert found["with"].samples == f"runs/{found['with'].key}.html"
    assert found["without"].samples is None
    assert found["without"].record == f"records/{found['without'].key}.json"


def test_folders_of_this_machine_are_not_published(write_run, tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "m",
        "/home/someone/models/tiny-model",
        settings={
            "model": "/home/someone/models/tiny-model",
            "versions": {"at": "/home/x/y"},
            "files": ["/home/x/z"],
            "servers": ["http://user:secret@node7:8000/v1"],
        },
    )
    sources = read_sources([folder])
    row = rows(make_board(sources, "t"))["tiny-model"]
    for words in (repr(row), repr(sources[0].record)):
        assert not [bad for bad in ("someone", "/home", "secret", "node7") if bad in words]
    assert display_name("Qwen/Qwen3") == "Qwen/Qwen3"
