"""Additional pretraining: masked language modelling on the tasks' own texts, with the loop of fine-tuning."""
