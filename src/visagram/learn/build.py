"""Recipe to network, and finished run to network."""

from __future__ import annotations

from torch import nn

from visagram.errors import DataError
from visagram.learn.faceres import Faceres, load_pretrained
from visagram.learn.network import ExpressionNetwork
from visagram.learn.recipes import Recipe


def build(recipe: Recipe, *, pretrained: bool) -> nn.Module:
    """The network that a recipe trains. pretrained: with the weights that it starts from, where there are any; not
    needed when a checkpoint follows."""
    match recipe.architecture:
        case "stages":
            return ExpressionNetwork(recipe)
        case "faceres":
            network = Faceres(recipe)
            if pretrained:
                load_pretrained(network)
            return network
    raise DataError(f"There is no architecture '{recipe.architecture}'.")
