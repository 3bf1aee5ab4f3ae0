"""ProGIC: progressive generative image compression with residual vector quantization.

An implementation of the codec of arXiv 2603.02897, for which neither code nor weights were
published. ``docs/progic.md`` says what is known of it and what was chosen here.
"""
