"""Dinghy: a small service with everything a deployment has to deal with."""
