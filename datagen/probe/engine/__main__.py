"""``python -m datagen.probe.engine``: a worker, started by :mod:`datagen.probe.engine.processes`, not by hand."""

from datagen.probe.engine.worker import main

main()
