"""The live service: processes that `stillwatch serve` looks after."""
