"""The host's side: offer services, find plugins, run them."""
