"""Numbers about masks: millilitres, components, ABC/2."""
