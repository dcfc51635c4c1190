"""Commands that measure: `python -m benchmarks NAME`, see `--help` and docs/results.md."""
