"""The page on which people look at a timeline: its styles, its script, and what makes one file of them."""
