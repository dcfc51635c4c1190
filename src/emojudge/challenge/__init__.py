"""The Interspeech 2025 challenge: its submission files, the paper's systems, and the paper's tables again."""
