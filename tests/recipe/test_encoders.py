"""Training, `check` and export with many kinds of encoders and tokenizers: what does not fit is refused by name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModel,
    BartConfig,
    FNetConfig,
    GPT2Config,
    MobileBertConfig,
    RobertaConfig,
    T5Config,
    XLNetConfig,
)

import manyheads
from manyheads.checks.rehearse import rehearse
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import EncoderError
from manyheads.inference.bundle import load_bundle
from manyheads.inference.export.content import PaddedModel, add_common_files
from manyheads.inference.graph_engine import GraphEngine
from manyheads.inference.load import load
from manyheads.inference.predictor import Predictor
from manyheads.model.encoder import quiet
from manyheads.recipe.load import load_recipe
from manyheads.runs.export import export_run

RECIPE = """
encoder = "encoder"
threads = 1

[tasks.pairs]
kind = "classification"
train = "pairs.tsv"
dev = "pairs.tsv.dev.tsv"
text = ["a", "b"]
pair = "{pair}"
label = "label"
labels = [0, 1]

[training]
epochs = 1
max_steps = 3
"""

SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture
def folder(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe of a task of pairs, its files, and a copy of the tiny encoder. It is the current one."""
    rows = [f"a film {number}\tthe story {number % 5}\t{number % 2}" for number in range(24)]
    for name in ("pairs.tsv", "pairs.tsv.dev.tsv"):
        (tmp_path / name).write_text("\n".join(["a\tb\tlabel", *rows]) + "\n")
    (tmp_path / "recipe.toml").write_text(RECIPE.format(pair="cross"))
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def use(folder: Path, config: Any) -> None:
    """Replace the model of the encoder by a random one of another architecture. The tokenizer stays."""
    torch.manual_seed(1)
    (folder / "encoder" / "model.safetensors").unlink()
    with quiet():
        AutoModel.from_config(config).save_pretrained(folder / "encoder")


def words_of(folder: Path) -> int:
    return Tokenizer.load(folder / "encoder").highest_id + 1


def edit(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**content, **changes}))


def train(folder: Path, *changes: str) -> tuple[manyheads.Run, str]:
    """Train the recipe. Return the run and everything that it reported."""
    lines: list[str] = []
    out = folder / f"run{len(list(folder.glob('run*')))}"
    listener = lambda event, **fields: lines.append(str(fields.get("text", "")))  # noqa: E731
    return manyheads.train(folder / "recipe.toml", out, changes=changes, listeners=[listener]), "\n".join(lines)


def checked(folder: Path) -> str:
    return "\n".join(rehearse(load_recipe(folder / "recipe.toml")).warnings)


def refused(folder: Path, match: str) -> None:
    """Check that training and `check` refuse the encoder, and that nothing was trained."""
    with pytest.raises(EncoderError, match=match):
        train(folder)
    with pytest.raises(EncoderError, match=match):
        checked(folder)
    assert not (folder / "run0" / "results.json").exists()


class ModuleGraphs:
    """The module that exporters trace, in place of an exported graph."""

    def __init__(self, model: PaddedModel) -> None:
        self._model, self.segments = model.eval(), model.segments

    def encode(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> Any:
        with torch.inference_mode():
            values = self._model(**{name: torch.from_numpy(feed) for name, feed in feeds.items()})
        return [values[self._model.names.index(output)].numpy() for output in outputs]

    def pair(self, task: str, first: Any, second: Any) -> Any:
        raise AssertionError(f"{task} reads one sequence")


def as_exported(run: manyheads.Run) -> Predictor:
    """Return a predictor that runs what exporters trace."""
    bundle = load_bundle(run.folder.model)
    folder = run.folder.path / "traced"
    folder.mkdir()
    add_common_files(folder, "onnx", bundle, run.folder.model)
    return Predictor(GraphEngine(folder, ModuleGraphs(PaddedModel(bundle, run.folder.model))))


def assert_same_predictions(one: Predictor, other: Predictor, texts: Sequence[tuple[str, str]]) -> None:
    """Check that both give the same probabilities, and so does each text alone."""
    expected = one.predict("pairs", texts)
    alone = [one.predict("pairs", [text])[0] for text in texts]
    for own, exported, single in zip(expected, other.predict("pairs", texts), alone, strict=True):
        assert exported.probabilities == pytest.approx(own.probabilities, abs=1e-5)
        assert single.probabilities == pytest.approx(own.probabilities, abs=1e-5)


def test_one_token_type_reads_every_segment_as_zero(folder: Path) -> None:
    """A RoBERTa with a tokenizer whose pairs have segment 1."""
    positions = {"max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 1}
    use(folder, RobertaConfig(**SHAPE, **positions, vocab_size=words_of(folder)))
    run, _ = train(folder)
    assert_same_predictions(load(run), as_exported(run), [("a film", "the story"), ("the", "a")])


def test_a_length_beyond_the_positions_is_reported(folder: Path) -> None:
    use(
        folder,
        RobertaConfig(
            **SHAPE, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, vocab_size=words_of(folder)
        ),
    )
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text() + "[model]\nmax_length = 66\n")
    text = "model.max_length is 66, and the encoder has positions for 64 tokens: 64 is used"
    run, said = train(folder)
    assert text in said
    assert text in checked(folder)
    assert json.loads((run.folder.model / "manyheads.json").read_text())["max_length"] == 64


def test_more_tokens_than_rows_are_refused_with_both_sizes(folder: Path) -> None:
    size = words_of(folder)
    content = json.loads((folder / "encoder" / "tokenizer.json").read_text())
    content["model"]["vocab"]["onemore"] = size
    (folder / "encoder" / "tokenizer.json").write_text(json.dumps(content))
    refused(folder, rf"no vector(.|\n)*{size + 1:,} ids(.|\n)*{size:,} rows")


@pytest.mark.usefixtures("forked_commands")
def test_the_command_check_refuses_them_too(folder: Path) -> None:
    content = json.loads((folder / "encoder" / "tokenizer.json").read_text())
    content["model"]["vocab"]["onemore"] = words_of(folder)
    (folder / "encoder" / "tokenizer.json").write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-m", "manyheads", "check", "recipe.toml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no vector" in done.stderr
    assert "Traceback" not in done.stderr


def test_more_segments_than_token_types_are_refused(folder: Path) -> None:
    content = json.loads((folder / "encoder" / "tokenizer.json").read_text())
    for part in content["post_processor"]["pair"]:
        for kind in part.values():
            kind["type_id"] *= 2
    (folder / "encoder" / "tokenizer.json").write_text(json.dumps(content))
    refused(folder, r"segments(.|\n)*segment 2(.|\n)*2 token types")


def test_a_missing_post_processor_is_built(folder: Path) -> None:
    whole, _ = train(folder)
    edit(folder / "encoder" / "tokenizer.json", post_processor=None)
    run, said = train(folder)
    assert "[CLS] text [SEP]" in said
    assert "[CLS] text [SEP]" in checked(folder)
    same = [load_file(each.folder.model / "model.safetensors") for each in (whole, run)]
    assert all(torch.equal(tensor, same[1][name]) for name, tensor in same[0].items())
    assert json.loads((run.folder.model / "tokenizer.json").read_text())["post_processor"] is not None
    assert Tokenizer.load(run.folder.model).template == Tokenizer.load(whole.folder.model).template


def test_without_tokens_to_add_it_is_refused(folder: Path) -> None:
    file = folder / "encoder" / "tokenizer.json"
    content = json.loads(file.read_text().replace("[CLS]", "[X]").replace("[SEP]", "[Y]"))
    file.write_text(json.dumps({**content, "post_processor": None}))
    refused(folder, r"no special tokens(.|\n)*cls_token")


def test_roberta_s_form_is_built_for_its_tokens(folder: Path) -> None:
    file = folder / "encoder" / "tokenizer.json"
    file.write_text(file.read_text().replace("[CLS]", "<s>").replace("[SEP]", "</s>"))
    edit(file, post_processor=None)
    template = Tokenizer.load(folder / "encoder", complete=True).template
    assert template.pair.special == ((2,), (3, 3), (3,))
    assert template.pair.text_segments == (0, 0)


@pytest.mark.parametrize("lower", [False, True])
def test_a_contradiction_about_case_is_refused(lower: bool, folder: Path) -> None:
    content = json.loads((folder / "encoder" / "tokenizer.json").read_text())
    content["normalizer"]["lowercase"] = not lower
    (folder / "encoder" / "tokenizer.json").write_text(json.dumps(content))
    edit(folder / "encoder" / "tokenizer_config.json", do_lower_case=lower)
    refused(folder, f"do_lower_case is {str(lower).lower()}")
    edit(folder / "encoder" / "tokenizer_config.json", do_lower_case=not lower)
    assert train(folder)[0].results["last"]


def test_a_special_token_with_two_ids_is_refused(folder: Path) -> None:
    content = json.loads((folder / "encoder" / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"]["[SEP]"]["ids"] = [4]
    (folder / "encoder" / "tokenizer.json").write_text(json.dumps(content))
    refused(folder, r"adds \[SEP\] as id 4")


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_special_tokens_in_a_text_are_the_same_in_every_runtime(kind: str, folder: Path) -> None:
    """The id of the padding in a text is a token like any other, also where positions start after the padding."""
    if kind == "roberta":
        numbers = {"max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 0}
        use(folder, RobertaConfig(**SHAPE, **numbers, vocab_size=words_of(folder), initializer_range=0.2))
    run, said = train(folder)
    assert "special tokens such as" not in said
    file = folder / "pairs.tsv"
    file.write_text(file.read_text() + "a [PAD] [PAD] film\tthe [SEP] story\t1\na [MASK]\tb\t0\n")
    texts = [("the [PAD] [PAD] film [SEP] a", "story [CLS]"), ("a film", "[PAD]"), ("[MASK] x", "the")]
    assert_same_predictions(load(run), as_exported(run), texts)
    assert "3 texts contain special tokens" in train(folder)[1]
    assert "3 texts contain special tokens" in checked(folder)


def test_unused_weights_are_reported(folder: Path) -> None:
    file = folder / "encoder" / "model.safetensors"
    weights = load_file(file)
    weights["cls.predictions.bias"] = torch.zeros(3)
    weights["encoder.layer.7.output.dense.weight"] = torch.zeros(3, 3)
    save_file(weights, file, metadata={"format": "pt"})
    for said in (train(folder)[1], checked(folder)):
        assert "cls.predictions.bias (heads of other tasks)" in said
        assert "although they are no head: encoder.layer.7.output.dense.weight" in said


REFUSED: dict[str, Callable[[int], Any]] = {
    "t5": lambda words: T5Config(vocab_size=words, d_model=32, d_ff=64, d_kv=16, num_layers=1, num_heads=2),
    "gpt2": lambda words: GPT2Config(vocab_size=words, n_embd=32, n_layer=1, n_head=2, n_positions=64),
    "bart": lambda words: BartConfig(
        vocab_size=words, d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=64, decoder_ffn_dim=64
    ),
    "xlnet": lambda words: XLNetConfig(vocab_size=words, d_model=32, n_layer=1, n_head=2, d_inner=64),
    "fnet": lambda words: FNetConfig(vocab_size=words, hidden_size=32, num_hidden_layers=1, intermediate_size=64),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_architectures_are_refused_by_name(name: str, folder: Path) -> None:
    use(folder, REFUSED[name](words_of(folder)))
    refused(folder, name)


def test_an_architecture_without_tokenizer_json_is_refused_by_its_name(folder: Path) -> None:
    use(folder, REFUSED["t5"](words_of(folder)))
    (folder / "encoder" / "tokenizer.json").unlink()
    refused(folder, "t5 is an encoder-decoder")


def test_an_untested_architecture_is_named_in_results_and_card(folder: Path) -> None:
    small = {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}
    use(folder, MobileBertConfig(**SHAPE, **small, vocab_size=words_of(folder), max_position_embeddings=64))
    refused(folder, "mobilebert was never tried")
    run, said = train(folder, "model.untested=true")
    assert run.results["untested"] == "mobilebert"
    assert "mobilebert was never tried" in said
    assert "mobilebert, was never tried" in (run.folder.model / "README.md").read_text()
    assert load(run).predict("pairs", [("a film", "the story")])


def test_a_tried_architecture_is_not_named(trained: manyheads.Run) -> None:
    assert trained.results["untested"] is None
    assert "never tried" not in (trained.folder.model / "README.md").read_text()


def test_albert_with_a_bi_encoded_pair_trains_and_ships(folder: Path) -> None:
    (folder / "recipe.toml").write_text(RECIPE.format(pair="bi"))
    use(folder, AlbertConfig(**SHAPE, embedding_size=16, vocab_size=words_of(folder), max_position_embeddings=64))
    run, _ = train(folder)
    export_run(run.folder.path, "onnx", check=False)
    assert_same_predictions(load(run), load(run, runtime="onnx"), [("a film", "the story"), ("the", "a")])
    pooler = load_file(run.folder.model / "2_Dense" / "model.safetensors")
    assert torch.equal(pooler["linear.weight"], load_file(run.folder.model / "model.safetensors")["pooler.weight"])
