"""Operating-system services: atomic file writes, locks, memory, devices, processes, streams."""
