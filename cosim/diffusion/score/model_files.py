"""Where models are, and how their files are written: whole or not at all."""

from pathlib import Path

from cosim.errors import ModelError
from cosim.files import replacing

PROJECT_MODELS = Path(__file__).resolve().parents[3] / "models"

MOST_MODEL_BYTE = 2**28
"""Of a file of weights, or a card."""


def write_model_files(task: str, folder: Path, contents: dict[Path, bytes]) -> None:
    """Write files of a model into its folder; each appears whole or not at all.

    Raises:
        ModelError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            with replacing(path) as partial:
                partial.write_bytes(content)
    except OSError as error:
        raise ModelError(
            f"The model of '{task}' cannot be written to {folder}: {error}. "
            "Choose a folder that can be written with --output."
        ) from None
