"""Measurements. They print figures and assert nothing: tests are for what cannot wobble."""
