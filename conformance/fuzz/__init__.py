"""Generated cases: what is drawn, and how it is driven through testees of any language."""
