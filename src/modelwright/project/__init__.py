"""The project file (typed, with a JSON Schema), and settings that know where they came from."""
