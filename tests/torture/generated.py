"""Generated recipes and data files: hypothesis strategies over their structure, with fixed seeds."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import resource
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.torture.ledger import ERROR, SAME, WRONG, Trial, Verdict, verdict
from tests.torture.outcome import crash, first_error
from tests.torture.world import World, in_fork

COUNT = 500

SEED = 2026

PATIENCE = 240.0
"""Seconds for `check` or `train` of a small recipe."""

MEMORY = 8 << 30
"""Bytes of address space that a command may have."""


def collected(strategy: Any, count: int, seed: int) -> list[Any]:
    """Return examples of a strategy. The same seed gives the same ones."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: list[Any] = []
    checks = list(HealthCheck)

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=checks,
        derandomize=False,
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found[:count]


def trials(world: World, *, short: bool) -> list[Trial]:
    """Return a trial per recipe and per data file. The generated content is kept in the work folder."""
    kept = world.folder / "generated.json"
    if not kept.exists():
        count = 5 if short else COUNT
        content = {"recipes": collected(recipes(world), count, SEED), "data": collected(tables(), count, SEED + 1)}
        kept.write_text(json.dumps(content), encoding="utf-8")
    content = json.loads(kept.read_text(encoding="utf-8"))
    found = [
        Trial(f"generated/recipe/{number:03}", "generated recipes", {"kind": "recipe", **each})
        for number, each in enumerate(content["recipes"])
    ]
    found += [
        Trial(f"generated/data/{number:03}", "generated data files", {"kind": "data", **each})
        for number, each in enumerate(content["data"])
    ]
    return found


def attempt(world: World, trial: Trial, folder: Path) -> Verdict:
    """Check and train a recipe, or read a data file and predict it."""
    if trial.values["kind"] == "recipe":
        return _recipe(world, trial, folder)
    return _data(world, trial, folder)


# Recipes


def recipes(world: World) -> Any:
    """Return the strategy of recipes: the bytes of the file, and changes to the encoder's config.json."""
    from hypothesis import strategies as some

    word = some.sampled_from(
        [
            *(
                "",
                " ",
                "a",
                "é",
                "日本語",
                "\U0001f600",
                "x" * 300,
                "y" * 5000,
                "~nosuchuser/x",
                "~",
                "..",
                "../..",
                "/",
                ".",
            ),
            *(
                "hub:../..",
                "hub:",
                "hub:a/b@train",
                "hub:a/b/c@d",
                "a\0b",
                "a\nb",
                "\x1b[31mred",
                "\u202eabc",
                "a\u2028b",
            ),
            *(
                "/dev/null",
                "/proc/self/mem",
                "/etc/passwd",
                "con",
                "*.tsv",
                "[",
                "**",
                "None",
                "true",
                "1e400",
                "%s{x}",
            ),
            *("minilm-offline", "org/repo", "file:///etc", "http://127.0.0.1:1/", "\ufeff", "sentiment-train.tsv"),
        ]
    )
    number = some.sampled_from(
        [
            *(0, 1, -1, 2, 3, 7, 2**31, 2**63, 2**64, 10**6, 10**9, 10**30, -(10**30), 0.0, -0.0, 0.5, 1e-320, 1e308),
            *(-1.5, math.nan, math.inf, -math.inf),
        ]
    )
    scalar = some.one_of(word, number, some.booleans())
    weird = some.one_of(
        scalar,
        some.lists(scalar, max_size=4),
        some.dictionaries(some.sampled_from(["a", "kind", "dropout", "x y", "é"]), scalar, max_size=2),
        some.lists(some.lists(scalar, max_size=2), max_size=2),
        some.just({"raw": "2026-11-29T12:00:00Z"}),
        some.just({"raw": "[" * 200 + "]" * 200}),
        some.just({"raw": "[" * 20_000 + "]" * 20_000}),
        some.just({"raw": "9" * 5000}),
        some.just({"raw": "0x" + "f" * 100}),
    )
    place = some.sampled_from(sorted(_places()))
    valid = some.sampled_from(VALID)
    change = some.one_of(
        some.tuples(place, weird),
        valid,
        valid,
        some.tuples(some.tuples(place, word).map(lambda both: f"{both[0]}.{_key(both[1])}"), scalar),
        some.tuples(word.map(_key), weird),
        some.tuples(word.map(lambda name: f"tasks.{_key(name)}"), some.just({"copy": "tasks.sentiment"})),
    )
    text_change = some.sampled_from(sorted(TEXT_CHANGES))
    config = some.tuples(
        some.sampled_from(sorted(CONFIG_KEYS)), some.one_of(number, word, some.none(), some.lists(number))
    )
    return some.fixed_dictionaries(
        {
            "changes": some.one_of(some.lists(valid, max_size=5), some.lists(change, min_size=1, max_size=4)),
            "text": some.one_of(some.none(), some.none(), some.none(), text_change),
            "config": some.one_of(some.just([]), some.just([]), some.lists(config, min_size=1, max_size=2)),
        }
    ).map(_plain)


CONFIG_KEYS = (
    *("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size", "pad_token_id"),
    *("max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act", "model_type", "architectures"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "is_decoder", "torch_dtype", "dtype"),
    *(
        "auto_map",
        "quantization_config",
        "attn_implementation",
        "_attn_implementation",
        "chunk_size_feed_forward",
        "id2label",
    ),
    *("num_labels", "output_attentions", "return_dict", "use_cache", "tie_word_embeddings", "position_embedding_type"),
)
"""Keys of an encoder's config.json that are changed."""

VALID: tuple[tuple[str, Any], ...] = (
    ("training.max_steps", 1),
    ("training.epochs", 2),
    ("training.schedule", "cosine"),
    ("training.warmup", 0.5),
    ("training.clip_norm", 0),
    ("training.accumulation", 3),
    ("training.early_stopping", 1),
    ("training.evaluate_every", 1),
    ("training.checkpoint_every", 1),
    ("training.learning_rate", 1e-5),
    ("batching.batch_size", 1),
    ("batching.batch_size", 64),
    ("batching.strategy", "sequential"),
    ("batching.strategy", "even"),
    ("batching.strategy", "shuffle"),
    ("model.max_length", 8),
    ("model.freeze_encoder", True),
    ("model.dropout", 0.2),
    ("tasks.sentiment.head", "linear"),
    ("tasks.sentiment.head", {"kind": "linear", "dropout": 0.1}),
    ("tasks.sentiment.train_rows", 5),
    ("tasks.sentiment.dev_rows", 4),
    ("tasks.sentiment.dev", 0.3),
    ("tasks.sentiment.metric", "macro_f1"),
    ("tasks.sentiment.loss_weight", 0.0),
    ("tasks.sentiment.class_weights", [1, 2, 3, 4, 0.5]),
    ("tasks.sentiment.class_weights", "balanced"),
    ("tasks.sentiment.on_bad_rows", "skip"),
    ("tasks.similarity.pair", "cross"),
    ("tasks.similarity.head", "b1"),
    ("tasks.similarity.head", "b2"),
    ("tasks.similarity.loss", "l1"),
    ("tasks.similarity.metric", "spearman"),
    ("tasks.similarity.range", [0, 5]),
    ("score", "course"),
    ("seed", 2**63 - 1),
    ("threads", 1),
    ("precision", "float32"),
    ("pretraining", {"epochs": 1, "batch_size": 32}),
    ("pretraining", {"epochs": 0}),
)
"""Changes that keep the recipe valid, most of them."""


def _places() -> set[str]:
    """Return the keys of a recipe that are changed: all of the schema."""
    from manyheads.recipe.schema import Recipe, TaskOptions

    found = set(Recipe.model_fields)
    for table in ("model", "batching", "training"):
        found |= {f"{table}.{name}" for name in Recipe.model_fields[table].annotation.model_fields}  # type: ignore[union-attr]
    for task in ("sentiment", "similarity"):
        found |= {f"tasks.{task}.{name}" for name in TaskOptions.model_fields}
    return found | {"pretraining.epochs", "pretraining.files", "pretraining.mask_share", "tasks.sentiment.head.dropout"}


TEXT_CHANGES: dict[str, Callable[[str], bytes]] = {
    "duplicate key": lambda text: (text + "\n[training]\nepochs = 2\n").encode(),
    "duplicate line": lambda text: ("seed = 1\nseed = 2\n" + text).encode(),
    "deep dotted key": lambda text: (".".join("a" * 3000) + " = 1\n" + text).encode(),
    "deep table": lambda text: (text + "\n[" + ".".join("a" * 5000) + "]\n").encode(),
    "deep inline tables": lambda text: ("x = " + "{a=" * 3000 + "1" + "}" * 3000 + "\n" + text).encode(),
    "not UTF-8": lambda text: text.encode().replace(b"sentence", b"sent\xffence"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "byte-order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "NUL": lambda text: text.replace("epochs", "epo\0chs").encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "unclosed string": lambda text: (text + '\nname = "abc\n').encode(),
    "unclosed text": lambda text: (text + '\nname = """abc\n').encode(),
    "half": lambda text: text[: len(text) // 2].encode(),
    "empty": lambda _: b"",
    "surrogate": lambda text: (text + "\n").encode() + b'x = "\\ud800"\n',
    "surrogate bytes": lambda text: text.encode().replace(b"sentence", b"\xed\xa0\x80"),
    "no tasks": lambda text: text.partition("[tasks")[0].encode(),
    "array of tables": lambda text: text.replace("[tasks.sentiment]", "[[tasks.sentiment]]").encode(),
    "long line": lambda text: (text + "# " + "x" * 1_000_000 + "\n").encode(),
    "many tasks": lambda text: (text + "".join(f"[tasks.t{n}]\nkind = 'regression'\n" for n in range(300))).encode(),
    "JSON": lambda _: b'{"encoder": "x"}',
    "huge exponent": lambda text: text.replace("1e-2", "1e-99999999999").encode(),
}
"""Changes of the text of a recipe by name."""


def _key(name: str) -> str:
    return json.dumps(name)


def _plain(example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example as JSON values. NaN and infinity are texts in JSON, so values are kept as TOML."""
    changes = [
        [place, value["copy"], True] if _is_copy(value) else [place, to_toml(value), False]
        for place, value in example["changes"]
    ]
    config = [[key, json.dumps(value)] for key, value in example["config"]]
    return {"changes": changes, "text": example["text"], "config": config}


def _is_copy(value: Any) -> bool:
    return isinstance(value, dict) and "copy" in value


def to_toml(value: Any) -> str:
    """Return a value as TOML. `{"raw": TEXT}` is written as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "".join(
            c if c.isprintable() or ord(c) > 0x7F else f"\\u{ord(c):04x}" for c in json.dumps(value, ensure_ascii=False)
        ).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        if "raw" in value:
            return str(value["raw"])
        return "{" + ", ".join(f"{_key(key)} = {to_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return repr(value)


def recipe_bytes(world: World, values: Mapping[str, Any]) -> bytes:
    """Return the recipe of a trial, as the text of a file."""
    tables: dict[str, dict[str, str]] = {
        "": {
            "encoder": json.dumps(str(world.folder / "encoder")),
            "threads": "1",
            "data_dir": json.dumps(str(world.data)),
        },
        "tasks.sentiment": {
            "kind": '"classification"',
            "train": '"sentiment-train.tsv"',
            "dev": '"sentiment-dev.tsv"',
            "text": '"sentence"',
            "label": '"sentiment"',
            "labels": "[0, 1, 2, 3, 4]",
        },
        "tasks.similarity": {
            "kind": '"regression"',
            "train": '"similarity-train.tsv"',
            "dev": '"similarity-dev.tsv"',
            "text": '["sentence1", "sentence2"]',
            "pair": '"bi"',
            "label": '"similarity"',
        },
        "batching": {"batch_size": "8"},
        "training": {"epochs": "1", "max_steps": "2", "learning_rate": "1e-2"},
    }
    for place, value, is_copy in values["changes"]:
        if is_copy:
            tables[place] = dict(tables[value])
            continue
        table, _, key = place.rpartition(".") if not place.endswith('"') else _split_quoted(place)
        if place in tables or any(name.startswith(f"{place}.") for name in tables):
            tables = {name: each for name, each in tables.items() if name != place and not name.startswith(f"{place}.")}
        parent, _, last = table.rpartition(".")
        if table not in tables and last in tables.get(parent, {}):
            del tables[parent][last]
        tables.setdefault(table, {})[key] = value
    lines = []
    for table in sorted(tables, key=lambda name: (name != "", name)):
        lines += [f"[{table}]"] if table else []
        lines += [f"{key} = {value}" for key, value in tables[table].items()]
    text = "\n".join(lines) + "\n"
    return TEXT_CHANGES[values["text"]](text) if values["text"] else text.encode("utf-8", "surrogatepass")


def _split_quoted(place: str) -> tuple[str, str, str]:
    start = place.index('"')
    return place[:start].rstrip("."), "", place[start:]


def _recipe(world: World, trial: Trial, folder: Path) -> Verdict:
    content = recipe_bytes(world, trial.values)
    if trial.values["config"]:
        encoder = folder / "encoder"
        shutil.copytree(world.folder / "encoder", encoder)
        config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
        config |= {key: json.loads(value) for key, value in trial.values["config"]}
        (encoder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        content = content.replace(str(world.folder / "encoder").encode(), str(encoder).encode())
    (folder / "recipe.toml").write_bytes(content)
    done = world.command(["check", "recipe.toml"], folder, seconds=PATIENCE, before=_bounded)
    if (end := crash(done)) is not None:
        return end
    if done.status != 0:
        return verdict(ERROR, first_error(done))
    words = ["train", "recipe.toml", "--out", "run", "--set", "training.max_steps=1"]
    trained = world.command(words, folder, seconds=PATIENCE, before=_bounded)
    if (end := crash(trained)) is not None:
        return end
    return verdict(SAME) if trained.status == 0 else verdict(ERROR, f"check accepts, train: {first_error(trained)}")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))


# Data files

COLUMNS = ("id", "sentence", "note", "a b", "é", "x,y", "tab\tname", "Label", "日本", "p_0", "prediction", "n;m")


def tables() -> Any:
    """Return the strategy of data files: rows, a format, and how the file is written."""
    from hypothesis import strategies as some

    piece = some.sampled_from(
        [
            *(
                "film",
                "a fine film",
                "lamp",
                " ",
                "  ",
                ",",
                ";",
                "\t",
                "|",
                '"',
                '""',
                "'",
                "\n",
                "\r\n",
                "\r",
                "\u2028",
                "\x85",
            ),
            *(
                "\x0b",
                "\x0c",
                "\x1c",
                "\ufeff",
                "é",
                "e\u0301",
                "日本語",
                "\U0001f600",
                "\u200b",
                "007",
                "1e2",
                "0",
                "0.0",
                "1_000",
            ),
            *(
                "null",
                "NaN",
                "true",
                "None",
                "=1+1",
                "-5",
                "#",
                "\\",
                "\\n",
                "[1]",
                "{}",
                "<b>",
                "x" * 3000,
                "\x1b[31m",
                "\x01",
            ),
        ]
    )
    cell = some.lists(piece, max_size=4).map("".join)
    text = some.tuples(some.sampled_from(["film", "lamp", "b"]), cell).map("".join)
    typed = some.one_of(
        some.none(),
        some.booleans(),
        some.integers(-(2**70), 2**70),
        some.floats(allow_nan=False, allow_infinity=False),
        some.lists(some.integers(0, 3), max_size=3),
        some.dictionaries(some.sampled_from(["a", "b"]), some.integers(0, 3), max_size=2),
    )
    others = some.lists(some.sampled_from([name for name in COLUMNS if name != "sentence"]), unique=True, max_size=3)

    def rows(names: Sequence[str]) -> Any:
        return some.lists(
            some.tuples(
                text,
                some.lists(cell, min_size=len(names), max_size=len(names)),
                some.lists(typed, min_size=len(names), max_size=len(names)),
            ),
            min_size=1,
            max_size=6,
        ).map(lambda found: {"names": list(names), "rows": [[a, b, c] for a, b, c in found]})

    return some.fixed_dictionaries(
        {
            "table": others.flatmap(rows),
            "form": some.sampled_from(["csv", "csv", "tsv", "jsonl", "jsonl", "json", "parquet"]),
            "quote": some.sampled_from(["minimal", "all"]),
            "line": some.sampled_from(["\n", "\r\n"]),
            "mark": some.booleans(),
            "ascii": some.booleans(),
            "typed": some.booleans(),
            "first": some.booleans(),
            "damage": some.sampled_from(
                [None, None, None, None, "nul", "bytes", "unclosed", "short", "long", "twice", "missing", "empty"]
            ),
        }
    ).map(lambda example: {"file": json.dumps(example)})


def _data(world: World, trial: Trial, folder: Path) -> Verdict:
    example = json.loads(trial.values["file"])
    names = ["sentence", *example["table"]["names"]] if example["first"] else [*example["table"]["names"], "sentence"]
    typed = example["typed"] and example["form"] in ("jsonl", "json", "parquet")
    rows = []
    for text, cells, values in example["table"]["rows"]:
        own = dict(zip(example["table"]["names"], values if typed else cells, strict=True))
        rows.append({name: text if name == "sentence" else own[name] for name in names})
    path = folder / f"in.{example['form']}"
    written = write(path, names, rows, example)
    if written is None:
        return verdict(SAME, "the writer cannot write this table")
    # The command comes first: the reader in this process starts threads, which a fork would lose.
    predicted = _predicted(world, path, folder, names, written, example)
    if predicted.faults:
        return predicted
    end = _read_back(path, names, written, example)
    return max((end, predicted), key=lambda each: (each.faults, each.counts.get(ERROR, 0)))


def write(
    path: Path, names: Sequence[str], rows: list[dict[str, Any]], example: Mapping[str, Any]
) -> list[dict[str, Any]] | None:
    """Write a table with the writers of the standard library or pyarrow. Return the rows that were written."""
    form, damage = example["form"], example["damage"]
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            columns = {name: pa.array([row[name] for row in rows]) for name in names}
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return None
        content = pa.table(columns)
        in_fork(lambda: pq.write_table(content, path))  # it starts threads, which a later fork would lose
        if damage in ("bytes", "short", "unclosed"):
            path.write_bytes(path.read_bytes()[:-7])
        return content.to_pylist()
    if form in ("csv", "tsv"):
        text = io.StringIO(newline="")
        # Python 3.11 does not quote a carriage return that is not its line end. Such a file is not valid CSV.
        alone = any("\r" in str(cell) for row in rows for cell in row.values())
        quoting = csv.QUOTE_ALL if example["quote"] == "all" or alone else csv.QUOTE_MINIMAL
        writer = csv.writer(
            text, delimiter="," if form == "csv" else "\t", quoting=quoting, lineterminator=example["line"]
        )
        writer.writerow([*names, names[0]] if damage == "twice" else names)
        for number, row in enumerate(rows):
            cells = [row[name] for name in names] + ([row[names[0]]] if damage == "twice" else [])
            writer.writerow(
                cells[:-1]
                if damage == "short" and number == 0
                else [*cells, "x"]
                if damage == "long" and number == 0 and len(names) > 1
                else cells
            )
        content = text.getvalue()
        if damage == "unclosed":
            content += (
                '"film' + (",x" * (len(names) - 1) if form == "csv" else "\tx" * (len(names) - 1)) + example["line"]
            )
    elif form == "jsonl":
        content = "".join(json.dumps(row, ensure_ascii=example["ascii"]) + example["line"] for row in rows)
        content += (
            '{"sentence": "film\n' if damage == "unclosed" else '{"sentence": "\\ud800"}\n' if damage == "short" else ""
        )
    else:
        content = json.dumps(rows, ensure_ascii=example["ascii"], indent=1 if example["mark"] else None)
        content = content[:-2] if damage == "unclosed" else content
    data = content.encode("utf-8")
    data = b"\xef\xbb\xbf" + data if example["mark"] else data
    if damage == "nul":
        data = data.replace(b"film", b"fi\0lm", 1)
    elif damage == "bytes":
        data = data.replace(b"film", b"fi\xfflm", 1)
    elif damage == "missing":
        data = data.replace(b"sentence", b"sentense")
    elif damage == "empty":
        data = b""
    path.write_bytes(data)
    return rows


def _read_back(
    path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]], example: Mapping[str, Any]
) -> Verdict:
    """Read the file with the program's reader, and compare with what was written."""
    from manyheads.data.reading import Row, open_file
    from manyheads.errors import ManyheadsError

    try:
        source = open_file(path, wanted=("sentence",))
        found = list(source.rows())
    except ManyheadsError as error:
        if example["damage"] is None:
            return verdict(WRONG, "a valid file is refused", str(error), repr(path.read_bytes()[:500]))
        return verdict(ERROR, str(error))
    good = [row for row in found if isinstance(row, Row)]
    bad = [str(row) for row in found if not isinstance(row, Row)]
    if example["damage"] in ("missing",):
        return verdict(ERROR, "a column is missing")
    expected = [_cells(row, example) for row in rows]
    got = [dict(row.values) for row in good]
    if example["damage"] is None:
        if bad or not _equal(got, expected):
            return _differ(got, expected, bad, path)
        return verdict(SAME)
    # In a damaged file, a row is one of those that were written, or is named.
    others = [row for row in got if not any(_equal([row], [each]) for each in expected)]
    if others and not bad:
        return _differ(got, expected, bad, path)
    return verdict(ERROR, *bad[:2]) if bad else verdict(SAME)


def _cells(row: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    if example["form"] not in ("csv", "tsv"):
        return dict(row)
    return {name.strip(): cell for name, cell in row.items()}


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    return type(first) is type(second) and first == second


def _differ(got: Any, expected: Any, bad: Sequence[str], path: Path) -> Verdict:
    shown = [
        f"{found!r:.300} where {wanted!r:.300} was written"
        for found, wanted in zip(got, expected, strict=False)
        if not _equal(found, wanted)
    ]
    content = base64.b64encode(path.read_bytes()).decode() if path.stat().st_size < 2000 else ""
    return verdict(
        WRONG, f"{len(got)} rows read of {len(expected)}, {len(bad)} bad rows", *shown[:3], *bad[:3], content
    )


def _predicted(
    world: World,
    path: Path,
    folder: Path,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    example: Mapping[str, Any],
) -> Verdict:
    """Predict the file, and read the output with other readers: it has every row and cell of the input."""
    ending = "jsonl" if path.suffix == ".json" else path.suffix[1:]
    output = folder / f"out.{ending}"
    words = ["predict", world.run_folder, "--task", "sentiment", "--input", path, "--output", output]
    done = world.command(words, folder, seconds=PATIENCE)
    if (end := crash(done)) is not None:
        return end
    if done.status == 1:
        return (
            verdict(ERROR, first_error(done))
            if example["damage"] is not None
            else verdict(WRONG, "a valid file is refused", done.text)
        )
    if example["damage"] is not None:
        return verdict(ERROR if done.status == 3 else SAME)
    found = _output(output, ending, example)
    if len(found) != len(rows):
        return verdict(WRONG, f"{len(found)} rows in the output of {len(rows)}", done.text)
    for row, wanted in zip(found, rows, strict=True):
        for name in names:
            key = name.strip() if ending in ("csv", "tsv") else name
            if key not in row or not _equal(row[key], wanted[name]):
                return verdict(
                    WRONG,
                    f"column {name!r}: {row.get(key)!r:.300} where the input has {wanted[name]!r:.300}",
                    done.text,
                )
        if not any(key.startswith("prediction") and row[key] not in (None, "") for key in row):
            return verdict(WRONG, "a row without a prediction", done.text)
    return verdict(SAME)


def _output(path: Path, ending: str, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    if ending == "parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    if ending == "jsonl":
        with path.open(encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="," if ending == "csv" else "\t", strict=True))
