from __future__ import annotations

import dataclasses
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.journal import Journal, Sample, journal_name, read_samples

MakeSample = Callable[..., Sample]


def write(folder: Path, *samples: Sample, writer: int = 0) -> Path:
    with Journal(folder, writer) as journal:
        for sample in samples:
            journal.append(sample)
    return folder / journal_name(writer)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), number=st.integers(0, 2**63 - 1))
def test_any_reply_survives_the_journal(make_sample: MakeSample, text: str, number: int) -> None:
    sample = make_sample(reply=text, error=text, problem=text, seed=number)
    line = sample.to_json()
    assert "\n" not in line
    assert Sample.from_json(line) == sample


def test_line_and_paragraph_separators_do_not_split_a_record(
    tmp_path: Path, make_sample: MakeSample
) -> None:
    sample = make_sample(reply="a\u2028b\u2029c\x85d\r\ne\x00\ud800")
    write(tmp_path, sample)
    assert list(read_samples(tmp_path).values()) == [sample]


def test_a_sample_is_in_the_file_before_the_next_is_asked(
    tmp_path: Path, make_sample: MakeSample
) -> None:
    with Journal(tmp_path) as journal:
        for count in range(1, 4):
            journal.append(make_sample(f"p{count}"))
            assert len((tmp_path / journal_name(0)).read_bytes().splitlines()) == count


def test_torn_last_line_is_ignored_and_overwritten(tmp_path: Path, make_sample: MakeSample) -> None:
    first, second, third = (make_sample(name) for name in "abc")
    path = write(tmp_path, first, second)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(read_samples(tmp_path).values()) == [first], cut
    write(tmp_path, third)
    assert path.read_bytes() == whole[:start] + third.to_json().encode() + b"\n"
    assert list(read_samples(tmp_path).values()) == [first, third]


def test_torn_line_longer_than_a_block_is_cut(tmp_path: Path, make_sample: MakeSample) -> None:
    path = write(tmp_path, make_sample("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    write(tmp_path)
    assert path.read_bytes() == whole


def test_file_that_is_one_torn_line_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / journal_name(0)
    path.write_bytes(b"\0" * 100_000)
    write(tmp_path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"nonsense", b"\xff\xfe", b"null", b""])
def test_a_damaged_line_in_the_middle_is_named(
    tmp_path: Path, make_sample: MakeSample, line: bytes
) -> None:
    path = write(tmp_path, make_sample("a"))
    path.write_bytes(path.read_bytes() + line + b"\n" + path.read_bytes())
    with pytest.raises(InputError, match=r"samples-00000.jsonl, line 2, is not a sample"):
        read_samples(tmp_path)


def test_unknown_outcome_is_no_sample(make_sample: MakeSample) -> None:
    record = json.loads(make_sample().to_json()) | {"outcome": "splendid"}
    with pytest.raises(ValueError, match="splendid"):
        Sample.from_json(json.dumps(record))


def test_a_reply_beats_an_error_and_a_later_line_an_earlier(
    tmp_path: Path, make_sample: MakeSample
) -> None:
    error = make_sample("p", outcome=Outcome.ERROR)
    good, better = make_sample("p", reply="1"), make_sample("p", reply="2")
    write(tmp_path, error, good, error)
    assert list(read_samples(tmp_path).values()) == [good]
    write(tmp_path, better)
    assert list(read_samples(tmp_path).values()) == [better]
    write(tmp_path, dataclasses.replace(error, error="again"), writer=1)
    assert list(read_samples(tmp_path).values()) == [better]


def test_samples_differ_by_epoch_prompt_and_sampling(
    tmp_path: Path, make_sample: MakeSample
) -> None:
    samples = [
        make_sample("p"),
        make_sample("p", epoch=1),
        make_sample("p", prompt_digest="other"),
        make_sample("p", sampling_digest="other"),
        make_sample("q"),
    ]
    write(tmp_path, *samples[:3])
    write(tmp_path, *samples[3:], writer=1)
    assert list(read_samples(tmp_path).values()) == samples


def _try(folder: Path, queue: multiprocessing.Queue[str]) -> None:
    try:
        with Journal(folder):
            queue.put("opened")
    except InputError as error:
        queue.put(str(error))


def test_two_processes_cannot_write_one_journal(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[str] = context.Queue()
    answers = []
    with Journal(tmp_path):
        process = context.Process(target=_try, args=(tmp_path, queue))
        process.start()
        answers.append(queue.get(timeout=60))
        process.join()
    process = context.Process(target=_try, args=(tmp_path, queue))
    process.start()
    answers.append(queue.get(timeout=60))
    process.join()
    assert answers == [f"another process is writing {tmp_path / journal_name(0)}", "opened"]
