"""Some thousand mutated records through every parser; `benchmarks/mutate_ingest.py` does half a million."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stillwatch.ingest.formats import ACCOUNT_FORMATS, FORMATS

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "mutate_ingest.py"


def test_every_parser_counts_good_records_between_mutated_ones(tmp_path):
    told = tmp_path / "told.json"
    words = [sys.executable, str(BENCHMARK), "--records", "9000", "--seed", "11", "--json", str(told)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text())

    assert {case["format"] for case in found["cases"]} == {*FORMATS, *ACCOUNT_FORMATS, "mapping"}
    assert {case["container"] for case in found["cases"]} == {"json lines", "json array", "csv", "parquet"}
    assert found["all"]["mutated"] >= 9000
    for case in found["cases"]:
        assert case["good"] >= case["mutated"]
        assert case["taken"] + case["rejected"] + case["passed_over"] == case["mutated"]
        assert case["rejected"] > 0
