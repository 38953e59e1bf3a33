"""Layers as plain functions on `keras.ops`, each with an optional leading population axis."""

from .augmentation import augment as augment
from .core import ACTIVATIONS as ACTIVATIONS
from .core import activation as activation
from .core import add_bias as add_bias
from .core import autoencoder as autoencoder
from .core import cross_entropy as cross_entropy
from .core import dense as dense
from .core import dense_block as dense_block
from .core import flatten as flatten
from .core import mean_loss as mean_loss
from .core import mlp_blocks as mlp_blocks
from .random import Draws as Draws
from .variational import negative_elbo as negative_elbo
