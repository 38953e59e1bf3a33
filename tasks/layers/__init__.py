"""Layers as plain functions on `keras.ops`, each with an optional leading population axis."""

from .augmentation import augment as augment
from .convolution import conv as conv
from .convolution import conv_block as conv_block
from .convolution import conv_blocks as conv_blocks
from .convolution import conv_transpose as conv_transpose
from .convolution import pool as pool
from .convolution import sampled_conv_blocks as sampled_conv_blocks
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
from .cores import recurrent_block as recurrent_block
from .flows import masked_autoregressive as masked_autoregressive
from .flows import real_nvp as real_nvp
from .random import Draws as Draws
from .tokens import token_cross_entropy as token_cross_entropy
from .variational import negative_elbo as negative_elbo
