"""The sampled families, one module each: `sample(seed)` draws the published configuration."""
