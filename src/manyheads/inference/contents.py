"""The files of a bundle and the keys of its manifest, as the reference documentation lists them.

`tests/inference/test_contents.py` compares them with the bundle of a finished run.
"""

from __future__ import annotations

from manyheads.run.contents import FileFacts

BUNDLE_FILES: tuple[FileFacts, ...] = (
    FileFacts(
        "manyheads.json",
        "always",
        "The manifest: tasks, and the SHA-256 of every file that can be loaded.",
        {
            "format": "Version of the bundle's format (1). A bundle of another format is refused.",
            "manyheads": "Version of manyheads that wrote the bundle.",
            "encoder.name": "Encoder as the recipe named it.",
            "encoder.revision": "Commit on the hub. Null for a folder and for the offline encoder.",
            "encoder.sha256": "SHA-256 of the weights before fine-tuning.",
            "pooling": "How vectors are read from the encoder: `pooler`, `first` or `mean`.",
            "max_length": "Longest sequence in tokens. Longer texts are truncated.",
            "tasks[].name": "Name of the task.",
            "tasks[].kind.name": "Kind of the task, such as `classification`.",
            "tasks[].kind.labels": "Labels in the order of the head's outputs. Absent for kinds without labels.",
            "tasks[].kind.tuned.threshold": "Searched thresholds of the labels. Absent if none were searched.",
            "tasks[].kind.tuned.rows": "Number of training rows, held out of training, on which they were searched.",
            "tasks[].kind.range": "Lowest and highest value (regression only).",
            "tasks[].text": "Text columns: one, or two for pairs.",
            "tasks[].label": "Label column, or a list of columns.",
            "tasks[].id": "Id column. Null if there was none.",
            "tasks[].pair": "Encoding of pairs: `cross` or `bi`. Null for one text.",
            "tasks[].head": "Head of the task.",
            "tasks[].dropout": "Dropout of the head in training. It is off in predictions.",
            "tasks[].head_options.KEY": "An option that only this head has. Absent if it has none.",
            "tasks[].loss": "Loss of the training.",
            "tasks[].form": "Form of the head's outputs, such as `logits`. Bundles of 0.4.0 lack it: it follows "
            "from their loss.",
            "tasks[].metric": "Primary metric.",
            "tasks[].metrics": "Metrics with options, and metrics in addition to those of the kind, as tables with "
            "`kind`. Absent if there are none.",
            "tasks[].group": "Column of groups. Absent if there was none.",
            "members.MENU.NAME": "File or package that adds a kind, a head, a loss or a metric of the tasks. Absent if "
            "all are in manyheads. It is only used in messages.",
            "plugins.PLUGIN": "Version or SHA-256 of such a package or file.",
            "files.FILE": "SHA-256 of a file.",
            "sha256": "SHA-256 of the manifest without this key, as JSON with sorted keys, without blanks, in ASCII. "
            "Bundles of version 0.4.0 lack it; they are read with a note.",
        },
    ),
    FileFacts("config.json", "always", "Configuration of the encoder in the format of transformers."),
    FileFacts("model.safetensors", "always", "Weights of the encoder in the format of transformers."),
    FileFacts("heads.safetensors", "always", "Weights of the heads."),
    FileFacts("tokenizer.json", "always", "The tokenizer."),
    FileFacts(
        "tokenizer_config.json",
        "always",
        "Settings of the tokenizer for transformers: its longest sequence, its inputs.",
    ),
    FileFacts("README.md", "always", "The model card. It can be edited: it has no checksum."),
    FileFacts("modules.json", "with a bi-encoded pair", "List of modules for sentence-transformers."),
    FileFacts("sentence_bert_config.json", "with a bi-encoded pair", "Longest sequence for sentence-transformers."),
    FileFacts("config_sentence_transformers.json", "with a bi-encoded pair", "Settings of sentence-transformers."),
    FileFacts("MODULE/config.json", "with a bi-encoded pair", "Configuration of one module."),
    FileFacts("MODULE/model.safetensors", "with a bi-encoded pair", "Weights of one module, if it has any."),
)
