"""A run handed in for a board: a file that is checked on either side.

Conventions
-----------
* A submission is a ZIP file of ``config.toml`` and ``samples-00000.jsonl``, and nothing else is
  read of it. It holds no folder, server or page of the machine that it comes from.
* Whoever hands a run in makes the file from the run directory; whoever keeps the board takes it in
  as a run directory again, whose metrics and page are made here. Both hold it against the
  dataset and judge every reply anew (``evaluators.verification``).
* A file that unpacks to more than ``MOST_BYTES`` is refused before it does.
"""

from __future__ import annotations

import io
import lzma
import re
import tempfile
import zipfile
import zlib
from pathlib import Path

from benchgen.errors import InputError
from benchgen.files import write_whole
from evaluators.run_directory import CONFIG, read_run
from evaluators.run_writing import write_run
from evaluators.verification import Verified, verify_run
from leaderboards.benchmark import Benchmark
from leaderboards.record import parse_record, published, record_json, record_key, record_of

ENDING = ".zip"
SAMPLES = "samples-00000.jsonl"
MOST_BYTES = 1 << 30
MOST_CONFIG = 1 << 20
_MEMBERS = re.compile(r"config\.toml|samples-\d{5}\.jsonl")
_UNREADABLE = (
    OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def submit(run: Path, data: Path, out: Path, shots_data: Path | None = None) -> Path:
    """Check ``run`` (a run directory, or a submission) against the dataset ``data``, and write it.

    ``out`` is the file to write (``.zip``), or else the folder of runs into which the run goes
    under its key. Returns what was written.

    Raises
    ------
    InputError
        It is no run, or does not earn its scores on this dataset: nothing is written. Or ``out``
        holds it already, or cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = _unpacked(run, Path(scratch) / "run") if run.is_file() else run
        try:
            verified = verify_run(place, data, shots_data)
            taken = _taken_in(verified, Path(scratch) / "taken")
            run_record = read_run(taken)
            # As a board will read it: through its own file.
            text = record_json(record_of(run_record))
            record = parse_record(text, "it")
            reason = Benchmark(data).refusal(record)
        except InputError as error:
            raise InputError(f"{run} is refused: {_named(str(error), place, run)}") from None
        if reason is not None:
            raise InputError(f"{run} is refused: {reason}")
        try:
            if out.suffix == ENDING:
                out.parent.mkdir(parents=True, exist_ok=True)
                write_whole(out, packed(taken))
                return out
            folder = out / record_key(record, text)
            if folder.exists():
                raise InputError(f"{folder} is there already: the run was taken in before")
            write_run(folder, run_record.config, verified.samples, verified.questions)
            return folder
        except OSError as error:
            raise InputError(f"cannot write {out}: {error}") from None


def packed(folder: Path) -> bytes:
    """The submission of a run directory that has one journal; the same run, the same bytes.

    Raises
    ------
    InputError
        It is larger than whoever is to take it in takes.
    """
    size = sum((folder / name).stat().st_size for name in (CONFIG, SAMPLES))
    if size > MOST_BYTES:
        raise InputError(f"the run is too large to be handed in: {size:,} bytes of {MOST_BYTES:,}")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (CONFIG, SAMPLES):
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, (folder / name).read_bytes())
    return target.getvalue()


def _taken_in(verified: Verified, folder: Path) -> Path:
    """The run as a directory of ours, without what names a place."""
    write_run(folder, published(verified.config), verified.samples, verified.questions)
    return folder


def _unpacked(file: Path, folder: Path) -> Path:
    folder.mkdir()
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if CONFIG not in names or len(set(names)) != len(names):
                raise InputError(f"{file} is refused: it is no submission")
            for member in members:
                if not _MEMBERS.fullmatch(member.filename):
                    raise InputError(f"{file} is refused: it holds {member.filename!r}")
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise InputError(f"{file} is refused: it unpacks to more than {MOST_BYTES:,} bytes")
            if archive.getinfo(CONFIG).file_size > MOST_CONFIG:
                raise InputError(f"{file} is refused: its {CONFIG} is too large to be one")
            for member in members:
                # What is read is no longer than what the directory states: zipfile sees to it.
                archive.extract(member, folder)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{file} is refused: it cannot be unpacked: {error}") from None
    return folder


def _named(message: str, place: Path, run: Path) -> str:
    return message.replace(str(place), str(run))
