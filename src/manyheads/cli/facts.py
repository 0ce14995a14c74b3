"""What `--help` does not show of each command: its exit statuses and the files that it reads and writes.

The reference documentation is generated from this table. `tests/docs/test_reference.py` checks that it has every
command and every exit status that the code of the commands names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMMON: Mapping[str, str] = {
    "0": "The command succeeded.",
    "1": "An error that the user can correct. Standard error says what is wrong, where, and what to do.",
    "2": "An unknown command, option or value.",
}
"""Exit statuses that every command has."""

STOPPED = "Stopped by a signal (130: Ctrl-C, 143: SIGTERM, 129: SIGHUP, 140: SIGUSR2). A checkpoint was written."


@dataclass(frozen=True)
class CommandFacts:
    """The exit statuses of a command beyond the common ones, and its files."""

    reads: str
    writes: str
    statuses: Mapping[str, str] = field(default_factory=dict)


TRAINING = {"129, 130, 140, 143": f"{STOPPED} Repeat the command with `--resume`."}

COMMANDS: Mapping[str, CommandFacts] = {
    "demo": CommandFacts(
        "Nothing: the corpus is in the package.",
        "The run folder, `runs/demo` by default. With `--files`, six CSV files in the folder.",
        TRAINING,
    ),
    "init": CommandFacts(
        "The data files.",
        "With `--output`, the recipe, and `manyheads.recipe.schema.json` next to it. Without, it prints the recipe.",
    ),
    "schema": CommandFacts("Nothing.", "Nothing: it prints the schema."),
    "check": CommandFacts(
        "The recipe, its data files and the encoder.",
        "Nothing but the cache.",
        {"1": "Also if the data have rows that would stop training."},
    ),
    "pretrain": CommandFacts(
        "The recipe, its data files and the encoder.",
        "The pretrained encoder in the cache, and in the folder of `--out`.",
        {"129, 130, 140, 143": f"{STOPPED} Repeat the command to resume."},
    ),
    "train": CommandFacts(
        "The recipe, its data files and the encoder.",
        "The [run folder](run-folder.md), `runs/NAME` by default, where NAME is the recipe's name, with the report.",
        TRAINING,
    ),
    "evaluate": CommandFacts("The run folder and its data files, or the file of `--input`.", "Nothing."),
    "predict": CommandFacts(
        "The bundle of the run, and the texts from a file or standard input.",
        "Predictions, to standard output or to the file of `--output`.",
        {"3": "Everything was written, but some rows have no prediction. Standard error names each with its line."},
    ),
    "report": CommandFacts(
        "The run folder and its data files.",
        "`report/` in the run folder, or the folder of `--out`. With `--format md` or `json`, it prints the report.",
    ),
    "compare": CommandFacts(
        "The run folders.",
        "The comparison, to standard output or to the file of `--output`.",
    ),
    "export": CommandFacts(
        "The run folder and, for the check, its dev files.",
        "A folder in the run folder that is named after the target, or the folder of `--out`. Nothing is written if "
        "the outputs of the export differ from those of the model.",
    ),
    "serve": CommandFacts(
        "The bundle of the run, and the file of `--token-file`.",
        "Nothing. The log goes to standard error and contains no texts.",
    ),
    "power": CommandFacts("The study, its base recipe, the data files, and the runs of `--pilot`.", "Nothing."),
    "study": CommandFacts(
        "The study, its base recipe, the data files and the encoder.",
        "The [study folder](run-folder.md#study-folder), `runs/NAME` by default, where NAME is the study's name.",
        {
            "1": "Also if a run failed. The other runs are finished and the table is written.",
            "129, 130, 140, 143": f"{STOPPED} Repeat the command to resume.",
        },
    ),
    "table": CommandFacts(
        "The study and its run folders.",
        "The table and the figures in the study folder.",
    ),
}
