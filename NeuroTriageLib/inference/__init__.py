"""Running networks: devices, batches, sliding windows."""
