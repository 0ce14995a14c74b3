"""Code blocks and their markers are read from a page as the conventions say."""

from __future__ import annotations

import pytest
from tests.docs.blocks import Block, PageError, parse

PAGE = """# A page

<!-- setup: files -->

<!-- file: a/first.toml -->
```toml
encoder = "x"   # ` in it
```

Text, then a block in a list:

1. First

   ```sh
   echo one
     echo two
   ```

   <!-- output -->
   ```text
   one
   ```

````{note}
```python
print("```")
```
````

<!-- not run: needs a Slurm cluster -->

~~~bash
sbatch
~~~

:::{tip}
<!-- background: http://127.0.0.1:8000/ -->
```sh
serve
```
:::
"""


def test_every_block_has_its_language_text_line_and_role() -> None:
    page = parse(PAGE, "page.md")
    assert page.setup == "files"
    assert page.blocks == (
        Block("toml", 'encoder = "x"   # ` in it\n', 6, "file", "a/first.toml"),
        Block("sh", "echo one\n  echo two\n", 14, "run"),
        Block("text", "one\n", 20, "output"),
        Block("python", 'print("```")\n', 25, "run"),
        Block("bash", "sbatch\n", 32, "not run", "needs a Slurm cluster"),
        Block("sh", "serve\n", 38, "background", "http://127.0.0.1:8000/"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```\nls\n```", "names no language"),
        ("```bash\nls\n```", "cannot be run"),
        ("```text\nx\n```", "cannot be run"),
        ("```sh\nls\n", "not closed"),
        ("<!-- output -->\n```text\nx\n```", "must follow"),
        ("<!-- not run: x -->\n```sh\nls\n```\n<!-- output -->\n```text\nx\n```", "must follow"),
        ("<!-- output: x -->\n```text\nx\n```", "takes nothing"),
        ("<!-- not run -->\n```sh\nls\n```", "takes a text"),
        ("<!-- file: -->\n```sh\nls\n```", "takes a text"),
        ("<!-- file: a -->\nWords between.\n```sh\nls\n```", "no code block follows"),
        ("<!-- not run: x -->", "no code block follows"),
        ("<!-- setup: models -->", "no setup 'models'"),
        ("```sh\nls\n```\n<!-- setup: files -->", "before the first block"),
        ("<!-- background: http://x -->\n```python\nx\n```", "only a block of sh"),
        ("```{code-block} python\nx\n```", "plain fence"),
    ],
)
def test_a_block_without_a_valid_marker_or_language_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(PageError, match=reason):
        parse(text, "page.md")
