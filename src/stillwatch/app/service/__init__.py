"""The live service: the processes that `stillwatch serve` looks after."""
