"""What happens where the proxy cannot be installed."""

from pathlib import Path

import pytest
from install_litellm import LOCK, LiteLLMUnavailableError, install_litellm


def test_without_a_network_it_says_why_and_leaves_nothing_that_looks_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"a-package-that-is-nowhere==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LiteLLMUnavailableError, match="a-package-that-is-nowhere"):
        install_litellm(tmp_path / "environment", lock)
    assert not (tmp_path / "environment" / "installed").exists()


def test_the_lock_pins_every_package_by_hash_and_names_no_registry():
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert "litellm==1.106.2" in "\n".join(lines)
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    names = [line for line in lines if not line.startswith(" ")]
    assert all("==" in line and line.endswith("\\") for line in names)
