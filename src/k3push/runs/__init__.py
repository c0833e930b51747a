"""The use cases: create, forecast, execute, settle and control a run. No console, HTTP or SQL."""
