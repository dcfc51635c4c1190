"""Stress tests of a recogniser: correctness, fairness, robustness; after Derington et al. (2312.06270)."""
