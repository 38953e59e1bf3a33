"""What part this process plays in a search over several: KerasTuner says it in the environment."""

import os


def is_chief() -> bool:
    """Whether this process hands out the trials of a parallel search."""
    return "KERASTUNER_ORACLE_IP" in os.environ and "chief" in tuner_id()


def is_worker() -> bool:
    """Whether this process runs trials that a chief hands out."""
    return "KERASTUNER_ORACLE_IP" in os.environ and "chief" not in tuner_id()


def tuner_id() -> str:
    """The name by which a search tells its tuners apart."""
    return os.environ.get("KERASTUNER_TUNER_ID", "tuner0")
