"""The HTTP server: requests, batches, models that replace each other, worker processes."""
