"""What the benchmarks of speed share: accounts with truth, processes apart, results that are kept."""
