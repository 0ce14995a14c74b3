"""Training on a device without waiting for it: data that lives there, steps of one shape, losses read later."""
