from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.contracts import UsageError
from stillwatch.settings import ExpireSettings, ScanSettings, SimulateSettings, memory_bytes


def test_a_value_goes_before_the_environment_and_that_before_the_default(monkeypatch):
    assert ScanSettings.read().format == "auto"
    monkeypatch.setenv("STILLWATCH_FORMAT", "openai")
    assert ScanSettings.read(format=None).format == "openai"
    assert ScanSettings.read(format="litellm").format == "litellm"


def test_an_empty_variable_is_no_value(monkeypatch):
    monkeypatch.setenv("STILLWATCH_STATE", "")
    assert ScanSettings.read().state is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-04-22", datetime(2026, 4, 22, tzinfo=UTC)),
        ("2026-04-22T08:00", datetime(2026, 4, 22, 8, tzinfo=UTC)),
        ("2026-04-22T08:00+02:00", datetime(2026, 4, 22, 6, tzinfo=UTC)),
        ("2026-04-22T08:00:00.5Z", datetime(2026, 4, 22, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("20260422", datetime(2026, 4, 22, tzinfo=UTC)),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(written, meant):
    since = ScanSettings.read(since=written).since
    assert since == meant
    assert since.tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"max_rejects": "2"}, "--max-rejects: '2': input should be less than or equal to 1"),
        ({"max_rejects": "nan"}, "--max-rejects"),
        ({"format": "xml"}, "--format: 'xml': input should be 'auto', 'litellm-spend-logs', 'litellm', "),
        ({"since": "yesterday"}, "--since: 'yesterday': is no date or time"),
        ({"since": "2026-05-02", "until": "2026-05-02"}, "--since is not before --until"),
        ({"memory": "4"}, "--memory: '4': is no quantity of memory; write it like 4GiB"),
        ({"memory": "1000MiB"}, "--memory: '1000MiB': is less than a scan can work with"),
        ({"threads": "0"}, "--threads: '0': input should be greater than or equal to 1"),
        ({"threads": "99999"}, "--threads: '99999': input should be less than or equal to 1024"),
        ({"fail_on": "watch"}, "--fail-on: 'watch': input should be 'campaign'"),
        ({"out": ""}, "--out: it is empty"),
        ({"spark_master": "local[2]"}, "--spark-master goes with --engine spark alone"),
    ],
)
def test_what_cannot_be_meant_is_named(given, complaint):
    with pytest.raises(UsageError) as caught:
        ScanSettings.read(**given)
    assert complaint in str(caught.value)
    assert caught.value.remedy


def test_a_wrong_variable_is_named_as_one(monkeypatch):
    monkeypatch.setenv("STILLWATCH_THREADS", "many")
    with pytest.raises(UsageError, match="STILLWATCH_THREADS: 'many'"):
        ScanSettings.read()


def test_the_variables_of_a_simulation_are_its_own(monkeypatch):
    monkeypatch.setenv("STILLWATCH_OUT", "run")
    monkeypatch.setenv("STILLWATCH_SIMULATE_OUT", "elsewhere")
    assert SimulateSettings.read().out == Path("elsewhere")
    assert ScanSettings.read().out == Path("run")


def test_retention_is_a_time_or_a_number_of_days(monkeypatch):
    now = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    assert ExpireSettings.read(before="2026-04-22").cut(now) == datetime(2026, 4, 22, tzinfo=UTC)
    monkeypatch.setenv("STILLWATCH_LEDGER_KEEP", "90")
    assert ExpireSettings.read().cut(now) == now - timedelta(days=90)
    with pytest.raises(UsageError, match="either --before or --keep"):
        ExpireSettings.read(before="2026-04-22")


@pytest.mark.parametrize("keep", ["0", "-1", "1.5", "ever"])
def test_retention_is_at_least_a_day(keep):
    with pytest.raises(UsageError, match="--keep"):
        ExpireSettings.read(keep=keep)


def test_the_key_lies_in_the_users_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert ScanSettings.read().sketch_key == tmp_path / "stillwatch" / "sketch.key"


def test_all_cores_work_unless_told_otherwise():
    assert ScanSettings.read(threads=3).workers == 3
    assert ScanSettings.read().workers >= 1


@given(
    st.integers(1, 10_000), st.sampled_from([("KiB", 2**10), ("mb", 10**6), ("GiB", 2**30), ("TB", 10**12)])
)
def test_memory_is_a_number_and_a_unit(amount, unit):
    name, size = unit
    assert memory_bytes(f"{amount}{name}") == memory_bytes(f" {amount} {name} ") == amount * size
