"""The audit: can the items be answered without reading the stimulus?

Three gates (every item has its twins; every blind predictor's upper bound is close to
chance; no predictor is found above chance), what the splits share, and what the reward
pays for. It knows problems and dataset rows alone, so that it serves every suite; what
a suite knows of its own options it may supply (see ``benchgen.audit.attributes``).
"""

from __future__ import annotations

from benchgen.errors import InputError

try:
    import scipy  # noqa: F401
    import sklearn  # noqa: F401
except ModuleNotFoundError as missing:
    raise InputError('the audit needs scikit-learn: pip install "benchgen[audit]"') from missing

from benchgen.audit.report import report_lines
from benchgen.audit.rows import audit_dataset
from benchgen.audit.run import audit_tasks

__all__ = ["audit_dataset", "audit_tasks", "report_lines"]
