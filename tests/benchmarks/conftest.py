"""Scripts that run in processes and venvs of their own, or load a torch nothing else here needs, are not imported."""

collect_ignore = ["__main__.py", "collation.py", "floors.py", "ours.py", "packing_speed.py", "peers"]
