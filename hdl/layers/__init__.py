"""Reading rows, and running layers of them."""
