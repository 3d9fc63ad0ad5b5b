"""Starting projects for testees, one for each language, and the command that writes them."""
