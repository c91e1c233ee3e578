"""ganctl: train, sample and measure generative adversarial networks from YAML."""

__version__ = "0.1.0"
