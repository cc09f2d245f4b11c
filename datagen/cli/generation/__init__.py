"""Parts of ``datagen generate``: its spec from options, its live view, its price."""
