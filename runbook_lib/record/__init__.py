"""The audit record: journal, seal, chain, archive, report, papermill engine."""
