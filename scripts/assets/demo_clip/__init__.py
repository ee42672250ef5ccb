"""The bundled demo clip: a rendered performer whose motion is known."""
