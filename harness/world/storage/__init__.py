"""Raw state: what lies on disk is saved, put back exactly, and described as a world."""
