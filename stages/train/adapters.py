"""Low-rank adapters (LoRA, arXiv:2106.09685) in a transformer's linear layers, and their merge into its weights."""

from typing import Any

from sentence_transformers import SentenceTransformer

from fieldtune.runtime.errors import UserError


def add(model: SentenceTransformer, rank: int) -> None:
    """Freeze the weights and put adapters beside all linear layers of the transformer's layers, in place."""
    from peft import LoraConfig, inject_adapter_in_model
    from torch.nn import Linear

    transformer: Any = model.transformers_model
    inside = {module for layer in layers(transformer) for module in layer.modules() if isinstance(module, Linear)}
    names = [name for name, module in transformer.named_modules() if module in inside]
    if not names:
        raise UserError("this model has no linear layers to adapt: set `train.lora: 0`")
    transformer.requires_grad_(False)
    inject_adapter_in_model(
        LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=names), transformer
    )


def merge(model: SentenceTransformer) -> None:
    """Merge the adapters into the weights and remove them, in place: the model is as before, but tuned."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())


def layers(transformer: Any) -> list[Any]:
    """A transformer's layers: the longest list of modules in it."""
    from torch.nn import ModuleList

    lists = (list(module) for module in transformer.modules() if isinstance(module, ModuleList))
    return max(lists, key=len, default=[])
