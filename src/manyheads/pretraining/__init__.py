"""Additional pretraining: masked language modelling on the tasks' own texts, on the loop that fine-tuning uses."""
