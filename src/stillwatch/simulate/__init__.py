"""Synthetic worlds: request logs with known truth, for the demo, the tests and load measurements.

Everything here is made up: the texts come from the grammars in ``texts/``, accounts, addresses and
cards are numbers drawn from a seed. A world is a folder of Parquet files and nothing else; this stage
opens no connection and knows no model.
"""
