"""How fast, how large: the library beside its peers, measured in the same run.

``python -m tests.benchmarks`` prints one table and writes it to ``runs/bench.json``.
"""
