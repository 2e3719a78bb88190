"""What a run is to solve, in numbers alone: trained score, initial states, noise, and the truth."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.noise import EDGE_PART, WienerNoise
from cosim.diffusion.config import RunConfig
from cosim.diffusion.score.network import ConditionalScoreNetwork, GuidedScore, Score, ScoreNetwork
from cosim.diffusion.score.sampling import (
    driven_euler,
    driven_solution,
    held_noise_solution,
    heun,
    initial_states,
    noise_draws,
    reference_solution,
)
from cosim.diffusion.score.sde import VariancePreserving
from cosim.diffusion.score.store import ModelCard, load_model
from cosim.diffusion.score.tasks import Task, get_task
from cosim.errors import ConfigurationError

TRUE_SAMPLES = 100_000
SOFTWARE_STEPS = 1_000


@dataclass(frozen=True)
class Problem:
    """The equation of a run, its initial conditions and its noise."""

    config: RunConfig

    @cached_property
    def task(self) -> Task:
        """The task as the run has it, or ConfigurationError."""
        task = get_task(self.config.task)
        if self.config.parametrisation == "epsilon":
            task = task.predicting_noise()
        return replace(
            task,
            sampling_scale=self.config.sampling_scale or task.sampling_scale,
            prior_deviation=self.config.ensemble.prior_deviation or task.prior_deviation,
        )

    @cached_property
    def _model(self) -> tuple[ScoreNetwork, ModelCard]:
        return load_model(self.task)

    @property
    def model_card(self) -> ModelCard:
        """Of the trained weights."""
        return self._model[1]

    @cached_property
    def network(self) -> Score:
        """The trained score in float64, with the run's condition and guidance.

        Raises:
            ConfigurationError: a condition that the task does not have.
        """
        network, condition = self._model[0], self.config.condition
        if condition.label is None:
            return network
        label = self.task.label(condition.label)
        assert isinstance(network, ConditionalScoreNetwork)  # as the task has classes
        if condition.guidance:
            return GuidedScore(network, label, condition.guidance)
        return network.given(label)

    @property
    def circuit_sde(self) -> VariancePreserving:
        """The diffusion that the circuit solves.

        Raises:
            ConfigurationError: the task has one of another kind.
        """
        sde = self.task.sampling_sde
        if type(sde) is not VariancePreserving:
            raise ConfigurationError(
                f"Task '{self.task.name}' has the diffusion {type(sde).__name__}, but the circuit "
                "solves the variance-preserving one. Train the task with VariancePreserving; the "
                "software's samplers take the others."
            )
        return sde

    @cached_property
    def initial_states(self) -> np.ndarray:
        """Draws from the prior [samples, states]."""
        ensemble = self.config.ensemble
        drawn = initial_states(ensemble.samples, self.network.states, ensemble.seed)
        return (self.task.start_deviation * drawn).numpy()

    def noise(self, sample: int | None) -> WienerNoise | None:
        """A sample's noise, or of none: silence; None for the probability-flow equation."""
        if self.config.equation == "ode":
            return None
        own = self.config.noise.source == "transient"
        noise = WienerNoise(self.config.noise.updates, None if own else self.draws(sample or 0))
        return noise.silent if sample is None else noise

    @property
    def edge_part(self) -> float:
        """Of an update: how long held noise ramps from draw to draw. Converters have steps."""
        return EDGE_PART if self.config.fidelity.dac is Fidelity.IDEAL else 0.0

    def draws(self, sample: int) -> np.ndarray | None:
        """A sample's noise [updates, states]; None for the probability-flow equation."""
        if self.config.equation == "ode":
            return None
        return noise_draws(
            sample, self.config.noise.updates, self.network.states, self.config.ensemble.seed
        )

    def all_draws(self, samples: Iterable[int]) -> np.ndarray | None:
        """Of many samples [updates, samples, states]."""
        draws = [one for one in map(self.draws, samples) if one is not None]
        return np.stack(draws, axis=1) if draws else None

    def reference(
        self, sample: int, tau: np.ndarray, noise_unit: np.ndarray | None = None
    ) -> np.ndarray:
        """The same equation, from the same state and with the same noise, solved in float64
        [times, states].

        Args:
            noise_unit: of the noise sources, where they are ngspice's own [times, states].
        """
        state, sde, noise = self.initial_states[sample], self.task.sampling_sde, self.noise(sample)
        if noise is None:
            return reference_solution(self.network, sde, state, tau)
        if noise.draws is not None:
            return held_noise_solution(self.network, sde, state, tau, noise.draws, self.edge_part)
        assert noise_unit is not None
        return driven_solution(self.network, sde, state, tau, np.sqrt(noise.updates) * noise_unit)

    def true_samples(self) -> np.ndarray:
        """Draws of the true distribution, of the run's class if it has one [draws, states]."""
        generator = torch.Generator().manual_seed(self.config.ensemble.seed)
        label, sample_class = self.config.condition.label, self.task.sample_class
        if label is None or sample_class is None:
            return self.task.sample(TRUE_SAMPLES, generator).double().numpy()
        return sample_class(self.task.label(label), TRUE_SAMPLES, generator).double().numpy()

    def software_samples(self) -> np.ndarray:
        """Final states of the same network from the same initial conditions in float64, by Heun's
        method or, for the SDE, by Euler-Maruyama with the same noise [samples, states].
        """
        start = torch.from_numpy(self.initial_states)
        draws = self.all_draws(range(len(start)))
        if draws is not None:
            driven = torch.from_numpy(draws)
            return driven_euler(self.network, self.task.sampling_sde, start, driven).numpy()
        return heun(self.network, self.task.sampling_sde, start, SOFTWARE_STEPS).numpy()
