"""Training on a device without waiting for it: data on the device, steps of fixed shapes, and losses read later."""
