"""Targets a bundle can be shipped to, each a folder of templates."""
