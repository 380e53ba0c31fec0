"""Any log format in, Exchange and Account record batches out; what cannot be read becomes a reject.

``reader`` is the door. ``sources`` finds the inputs, ``inflate`` decompresses them, ``detect`` tells their
containers and whose logs they are, ``json_records``, ``csv_records`` and ``parquet_rows`` cut them into
records, one module per format maps a record to an exchange (``formats`` lists them, ``mapping`` makes one
from a file, ``guess`` begins such a file), and ``sieve`` collects what was mapped into batches.
"""
