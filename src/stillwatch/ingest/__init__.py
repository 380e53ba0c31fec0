"""Any log format in, Exchange and Account record batches out; what cannot be read becomes a reject.

``reader`` is the door. ``sources`` finds the inputs, ``inflate`` decompresses them, ``containers`` tells
JSON, CSV and Parquet apart and cuts them into records, one module per format maps a record to an
exchange (``formats`` lists them), and ``sieve`` collects what was mapped into batches.
"""
