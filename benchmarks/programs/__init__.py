"""The programs that are timed: each takes a block of batches and says how long it trained on them."""
