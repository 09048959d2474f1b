"""Token estimates: an upper bound for holds, a likely count for charges.

``bound`` can't be exceeded by a byte-level tokenizer: no token is shorter than a byte.
``likely`` starts from a rule of thumb and learns each model's ratio from providers' counts.
"""

from typing import Any

TOKENS_PER_MESSAGE = 16
TOKENS_PER_TOOL = 64
TOKENS_PER_IMAGE = 4096
"""More than any of the providers counts for one image at full detail."""

LIKELY_TOKENS_PER_BYTE = 0.27
LEARNING_RATE = 0.05


class Ratios:
    """Learned tokens per byte of a model's input and output."""

    __slots__ = ("input", "output")

    def __init__(self) -> None:
        self.input = LIKELY_TOKENS_PER_BYTE
        self.output = LIKELY_TOKENS_PER_BYTE


class Estimator:
    """Likely counts per model, learned from what providers count."""

    def __init__(self) -> None:
        self._ratios: dict[str, Ratios] = {}

    def ratios(self, model: str) -> Ratios:
        known = self._ratios.get(model)
        return known if known else self._ratios.setdefault(model, Ratios())

    def likely_input(self, model: str, size: int) -> int:
        """Return likely tokens for so many bytes of messages; 0 for 0."""
        return _tokens(size, self.ratios(model).input)

    def likely_output(self, model: str, size: int) -> int:
        """Return likely tokens for so many bytes of delivered text; 0 for 0."""
        return _tokens(size, self.ratios(model).output)

    def learn(self, model: str, *, input_size: int, input_tokens: int, output_size: int, output_tokens: int) -> None:
        """Move the model's ratios a step towards what a provider counted."""
        ratios = self.ratios(model)
        ratios.input = _step(ratios.input, input_size, input_tokens)
        ratios.output = _step(ratios.output, output_size, output_tokens)


def _tokens(size: int, ratio: float) -> int:
    return max(1, round(size * ratio)) if size else 0


def _step(ratio: float, size: int, tokens: int) -> float:
    if size < 200 or not 0.02 < tokens / size < 1:
        return ratio  # too short to tell, or not what was counted
    return ratio + LEARNING_RATE * (tokens / size - ratio)


def text_size(value: Any) -> int:
    """Return the UTF-8 bytes of a text, 0 for anything else."""
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
