"""Networks onto tiles: bias cells, splits, descriptors, row images. No device physics."""
