"""The command ``plugsvc-conformance doctor``: goes through the testee contract step by step."""
