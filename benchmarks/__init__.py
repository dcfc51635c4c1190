"""Commands that measure: `python -m benchmarks accuracy|folds|footprint|report`. See docs/results.md."""
