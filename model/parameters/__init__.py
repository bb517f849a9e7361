"""Parameter sets: frozen, validated, every number with its unit and provenance."""
