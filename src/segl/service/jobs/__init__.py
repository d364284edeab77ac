"""The use cases: every change of a job is one keyword-only function here, in one short transaction."""
