"""The HTTP service: predictions, jobs, live streams, corrections. Needs the extra `serve`."""
