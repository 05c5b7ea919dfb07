"""The serving log's first home: what a worker promises to remember before its answer leaves."""
