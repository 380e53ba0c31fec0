"""Splink on the same account records: the model, and what it says at every threshold.

Tuned in its favour: it is given what stillwatch links by, rarity counts (term frequencies), and training
takes samples as large as its documentation calls adequate. Telephone numbers are left out: in these worlds no
two accounts share one, so that they would only cost time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLDS: Final = (0.0, 1e-6, 1e-4, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
"""Probabilities of a match from which on two records are joined; 0 joins every pair that was compared."""

SHARED: Final = ("payment", "device", "domain", "network")
_RECORDS: Final = """
    CREATE TABLE records AS
    SELECT account_id, payment_fp AS payment, device_fp AS device, signup_network_fp AS network,
           CASE WHEN email_kind = 'own' THEN email_domain_fp END AS domain,
           CAST(epoch(created_at) AS BIGINT) // 3600 AS hour
    FROM read_parquet(?)
"""
_RANDOM_PAIRS: Final = 1e7
_TRAINING_PAIRS: Final = 1e6
_RECALL_OF_CARDS: Final = 0.7


class Trained:
    """A model that has been trained on these accounts, on what is ``shared`` and the hour of the sign-up."""

    def __init__(self, accounts: Path, shared: Sequence[str], threads: int) -> None:
        logging.getLogger("splink").setLevel(logging.ERROR)
        connection = duckdb.connect(config={"threads": threads})
        connection.execute(_RECORDS, [str(accounts)])
        self._records = DuckDBAPI(connection=connection).register("records")
        began = time.perf_counter()
        linker = Linker(self._records, _model(shared))
        _train(linker, shared[-1])
        self._settings = linker.misc.save_model_to_json()
        self.seconds = time.perf_counter() - began

    def clusters(self) -> Iterator[tuple[float, pa.Table]]:
        """Yield each threshold with its clusters: ``account_id`` and ``cluster_id``, by account."""
        linker = Linker(self._records, self._settings)
        pairs = linker.inference.predict()
        for threshold in THRESHOLDS:
            yield threshold, _clustered(linker, pairs, threshold)

    def timed(self, threshold: float) -> dict[str, float]:
        """Return the seconds that prediction and clustering take for this threshold alone."""
        linker = Linker(self._records, self._settings)  # which knows no pairs yet
        began = time.perf_counter()
        pairs = linker.inference.predict(threshold_match_probability=threshold)
        predicted = time.perf_counter()
        _clustered(linker, pairs, threshold)
        return {"predict": predicted - began, "cluster": time.perf_counter() - predicted}


def _model(shared: Sequence[str]) -> SettingsCreator:
    hour = comparisons.CustomComparison(
        output_column_name="hour",
        comparison_levels=[
            levels.NullLevel("hour"),
            levels.CustomLevel("hour_l = hour_r", "same hour"),
            levels.CustomLevel("abs(hour_l - hour_r) <= 24", "within a day"),
            levels.ElseLevel(),
        ],
    )
    exact = [comparisons.ExactMatch(name).configure(term_frequency_adjustments=True) for name in shared]
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="account_id",
        comparisons=[*exact, hour],
        blocking_rules_to_generate_predictions=[block_on(name) for name in shared],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def _train(linker: Linker, other: str) -> None:
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("payment"), block_on("device")], recall=_RECALL_OF_CARDS
    )
    training.estimate_u_using_random_sampling(max_pairs=_RANDOM_PAIRS, seed=1)
    for name in ("payment", other):  # neither trains what it blocks on
        training.estimate_parameters_using_expectation_maximisation(
            block_on(name), estimate_without_term_frequencies=True, max_pairs=_TRAINING_PAIRS
        )


def _clustered(linker: Linker, pairs: Any, threshold: float) -> pa.Table:
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(
        pairs, threshold_match_probability=threshold
    )
    return found.as_duckdbpyrelation().project("account_id, cluster_id").order("account_id").to_arrow_table()
