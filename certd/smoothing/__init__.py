"""Smoothing: plans, the sampler, the certifier, and the certificates they make.

What needs torch is imported by name (``certd.smoothing.certifier``), so that runs are read without it.
"""

from certd.smoothing.certificate import Certificate
from certd.smoothing.draws import Draws, Phase, Record, Tally
from certd.smoothing.guarantee import Bound, Guarantee
from certd.smoothing.manifest import Manifest
from certd.smoothing.request import Certification, CertificationRequest, parse_request
from certd.smoothing.run import Run, read_run, write_run

__all__ = [
    "Bound",
    "Certificate",
    "Certification",
    "CertificationRequest",
    "Draws",
    "Guarantee",
    "Manifest",
    "Phase",
    "Record",
    "Run",
    "Tally",
    "parse_request",
    "read_run",
    "write_run",
]
