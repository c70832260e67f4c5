"""A report as JSON, which `report.schema.json` beside this module describes."""

import json
import platform
from dataclasses import fields
from typing import Any

import numpy as np

from oracle.contract import Deviation
from oracle.reporting.arrays import Shown
from oracle.reporting.files import REPORT, call_fields, header
from oracle.reporting.presentable import presentable
from oracle.reporting.report import Failure, Report
from properties import to_fields
from properties.fields import array_fields


def as_json(report: Report) -> str:
    """Return `report` as JSON, its fields by their names."""
    return json.dumps(_report_fields(presentable(report)), indent=2, allow_nan=False)


def _report_fields(report: Report) -> dict[str, Any]:
    return {
        **header(REPORT),
        "complete": report.complete,
        "subject": report.subject,
        "version": report.version,
        "dtype": report.dtype,
        "arithmetic": report.arithmetic,
        "examples": report.examples,
        "seed": report.seed,
        "laws": report.laws,
        "only": {name: sorted(values) for name, values in report.only.items()},
        "passed": report.passed,
        "failures": [_failure_fields(failure) for failure in report.failures],
        "declined": report.declined,
        "absent": report.absent,
        "deviations": [
            {**_deviation_fields(deviation), "matched": matched, "failed": failed}
            for deviation, matched, failed in report.deviations
        ],
        "tallies": [{**vars(tally), "failed": tally.failed, "bits": tally.bits} for tally in report.tallies],
        "coverage": [vars(coverage) for coverage in report.coverage],
        "seconds": round(report.seconds, 3),
        "platform": f"{platform.platform()}, Python {platform.python_version()}",
    }


def _failure_fields(failure: Failure) -> dict[str, Any]:
    own = {field.name: getattr(failure, field.name) for field in fields(failure) if field.name != "write"}
    return {
        **own,
        "case": to_fields(failure.case),
        "script": failure.script,
        "calls": call_fields(failure),
        "shown": list(map(_shown_fields, failure.shown)),
    }


def _shown_fields(shown: Shown) -> dict[str, Any]:
    return {
        "role": shown.role,
        "name": shown.name,
        "dtype": shown.dtype,
        "shape": shown.shape,
        "values": None if shown.values is None else array_fields(shown.values)["values"],
        "wrong": None if shown.wrong is None else np.flatnonzero(shown.wrong).tolist(),
    }


def _deviation_fields(deviation: Deviation) -> dict[str, Any]:
    return {name: value for name, value in vars(deviation).items() if name != "matches"}
