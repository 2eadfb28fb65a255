"""Writers of the score model, one file a notation."""
