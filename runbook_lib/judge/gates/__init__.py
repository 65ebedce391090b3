"""From evidence to the verdict of a gate, and from verdicts to a decision."""
