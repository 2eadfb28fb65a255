"""Music theory on spelled pitches: step, alteration, octave.

Nothing here knows of notation; nothing here is shared with the second engine.
"""
