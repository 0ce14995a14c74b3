"""The processes of a run, as a launcher such as torchrun describes them in the environment. Does not need torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from manyheads.errors import TrainingError

NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """This process's rank and the number of processes, over all machines and on this machine.

    `note`: a message for the user, or None.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    note: str | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Launch:
        """Read the environment. A rank without a number of processes is a run of one process, with a note.

        Raises:
            TrainingError: The values contradict one another, or the address of the first process is missing.
        """
        numbers = {name: _number(name, environment[name]) for name in NUMBERS if environment.get(name)}
        if "WORLD_SIZE" not in numbers:
            if "RANK" not in numbers:
                return cls()
            text = f"RANK is {numbers['RANK']} and WORLD_SIZE is not set: this run has one process"
            return cls(note=f"{text}. Start several processes with torchrun")
        size, rank = numbers["WORLD_SIZE"], numbers.get("RANK", 0)
        _require(size >= 1, environment, "WORLD_SIZE is the number of processes, at least 1")
        _require(rank < size, environment, "RANK is from 0 to WORLD_SIZE - 1")
        local_rank, local_size = numbers.get("LOCAL_RANK", 0), numbers.get("LOCAL_WORLD_SIZE", 1)
        if "LOCAL_WORLD_SIZE" in numbers:
            _require(1 <= local_size <= size, environment, "LOCAL_WORLD_SIZE is from 1 to WORLD_SIZE")
            _require(local_rank < local_size, environment, "LOCAL_RANK is from 0 to LOCAL_WORLD_SIZE - 1")
        _require(local_rank < size, environment, "LOCAL_RANK is less than WORLD_SIZE")
        if size == 1:
            return cls()
        missing = [name for name in ("RANK", *ADDRESS) if not environment.get(name)]
        _require(not missing, environment, f"several processes also need {', '.join(missing)}")
        return cls(rank, size, local_rank, local_size)


def _number(name: str, value: str) -> int:
    if not value.strip().isdecimal():
        raise TrainingError("the environment has an invalid number", where=name, found=value, allowed="0, 1, 2, ...")
    return int(value)


def _require(condition: bool, environment: Mapping[str, str], rule: str) -> None:
    if not condition:
        found = ", ".join(f"{name}={environment[name]}" for name in (*NUMBERS, *ADDRESS) if environment.get(name))
        raise TrainingError(
            "the environment does not describe the processes of a run",
            found=found,
            allowed=rule,
            hint="start the processes with torchrun, or unset these variables to train with one process",
        )
