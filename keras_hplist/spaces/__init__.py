"""Search spaces: named distributions over hyperparameter configurations."""

from keras_hplist.spaces.hyperparameter import Hyperparameter
from keras_hplist.spaces.published import get, half_orders, names
from keras_hplist.spaces.search_space import SearchSpace, configuration_id

__all__ = ["Hyperparameter", "SearchSpace", "configuration_id", "get", "half_orders", "names"]
