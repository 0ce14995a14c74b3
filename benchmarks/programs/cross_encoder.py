"""sentence-transformers' CrossEncoder trainer, on one task of pairs with two classes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

from benchmarks.programs.trainer import Clock
from benchmarks.work import Pick, Work


class PairTrainer:
    """Trains on random batches. It tokenises during training, which is its normal behaviour."""

    def __init__(self, work: Work) -> None:
        (data,) = work.prepared.data
        self.work, self.examples = work, data.train
        options = work.recipe.model
        dropouts = {"hidden_dropout_prob": options.dropout, "attention_probs_dropout_prob": options.attention_dropout}
        self.model = CrossEncoder(
            str(work.source.folder),
            num_labels=1,
            max_length=options.max_length,
            device="cpu",
            config_kwargs={name: value for name, value in dropouts.items() if value is not None},
            model_kwargs={"attn_implementation": "sdpa"},
        )

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Train on a block. Return the seconds without the trainer's start-up."""
        rows = [row for batch in block for _, row in batch]
        first, second = self.examples.texts
        pairs = Dataset.from_dict(
            {
                "sentence1": [first[row] for row in rows],
                "sentence2": [second[row] for row in rows],
                "label": [float(self.examples.targets[row]) for row in rows],
            }
        )
        training = self.work.recipe.training
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            arguments = CrossEncoderTrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=max(map(len, block)),
                num_train_epochs=1,
                optim="adamw_torch_fused",
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                max_grad_norm=training.clip_norm,
                lr_scheduler_type="constant",
                logging_strategy="no",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                dataloader_pin_memory=False,
                use_cpu=True,
                seed=seed,
            )
            CrossEncoderTrainer(
                model=self.model,
                args=arguments,
                train_dataset=pairs,
                loss=BinaryCrossEntropyLoss(self.model),
                callbacks=[clock],
            ).train()
        return clock.seconds

    def evaluate(self, picks: Sequence[Pick]) -> float:
        """Tokenise dev pairs, sort them by length and compute their outputs in batches of 64. Return the seconds."""
        pairs = self.work.dev_texts(picks)
        started = time.perf_counter()
        self.model.predict(pairs, batch_size=64, show_progress_bar=False)
        return time.perf_counter() - started
