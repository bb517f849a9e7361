"""ReRAM devices: populations, switching, wear."""
