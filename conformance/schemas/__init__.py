"""JSON Schemas of what the suite, testees, hosts and plugins write."""
