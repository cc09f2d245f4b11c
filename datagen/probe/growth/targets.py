"""Names of target modules: short ones (``q,v``, ``all``) become a model's own linear layers, with their trainable parameters counted.

The model is built on torch's meta device: its layers' names and shapes are there, its weights are not. Imports torch lazily.
"""

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError

SHORT: dict[str, tuple[str, ...]] = {
    "q": ("q_proj", "q_lin", "query"),
    "k": ("k_proj", "k_lin", "key"),
    "v": ("v_proj", "v_lin", "value"),
    "o": ("o_proj", "out_proj", "out_lin", "dense"),
    "gate": ("gate_proj",),
    "up": ("up_proj", "fc1"),
    "down": ("down_proj", "fc2"),
}
"""Short names and the layer names they stand for, the first that a model has."""
GROUPS = {"attention": "q,k,v,o", "mlp": "gate,up,down"}


@dataclass(frozen=True, slots=True)
class Layers:
    """A model's linear layers without the head: for each name, in_features + out_features summed over the layers of that name."""

    widths: dict[str, int]

    def resolve(self, targets: str) -> tuple[str, ...]:
        """Turn ``q,v``, ``attention``, ``all`` or the model's own names into its names; () is all of them.

        Raises:
            UsageError: a name that the model has no layer for.
        """
        if targets.strip() == "all":
            return ()
        names: list[str] = []
        for short in GROUPS.get(targets.strip(), targets).split(","):
            options = (short.strip(), *SHORT.get(short.strip(), ()))
            found = next((name for name in options if name in self.widths), None)
            if found is None:
                hint = f"its linear layers: {', '.join(sorted(self.widths))}; short names: {', '.join([*SHORT, *GROUPS, 'all'])}"
                raise UsageError(f"target modules '{targets}': no layer '{short.strip()}' in this model", hint=hint)
            names.append(found)
        return tuple(sorted(set(names)))

    def parameters(self, names: tuple[str, ...], rank: int) -> int:
        """Count trainable parameters: rank x (in + out) for every adapted layer."""
        return rank * sum(self.widths[n] for n in names or self.widths)

    def rank_for(self, names: tuple[str, ...], parameters: int) -> int:
        """Return the rank, at least 1, whose parameters come nearest to a number."""
        return max(1, round(parameters / self.parameters(names, 1)))


def model_layers(folder: Path) -> Layers:
    """Read a model folder's configuration and list its linear layers."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    widths: dict[str, int] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            short = name.rsplit(".", 1)[-1]
            widths[short] = widths.get(short, 0) + module.in_features + module.out_features
    return Layers(widths)
