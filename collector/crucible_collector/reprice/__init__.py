"""Computing costs anew over a range of what is stored, when prices have changed."""
