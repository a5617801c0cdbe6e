"""The machine: files that are written whole, locks, memory, devices, processes and streams."""
