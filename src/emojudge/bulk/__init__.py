"""A million recordings: many workers, on one machine or on a Ray cluster, from and to any storage."""
