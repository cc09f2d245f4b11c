"""The page: what the command line does, for the person who knows the domain but not the terminal.

``datagen ui`` serves it on loopback, offline, in Chinese and English, light and dark, keyboard first. Nothing here holds state that is
not on disk: pages read an iteration's files, decisions go to ``.datagen/reviews``, a run is a process of its own. NiceGUI is an optional
dependency (extra ``ui``); importing this package loads nothing.
"""
