"""How varied a set is. Metrics at equal size, topics with names, and a map; on an embedding that needs no model and no network."""
