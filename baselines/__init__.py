"""What agents are measured against: orders, reordering, composites, classical models; the comparison."""

from labelchain.baselines.chain_classifier import ChainClassifier

__all__ = ["ChainClassifier"]
