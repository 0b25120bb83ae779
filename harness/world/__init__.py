"""External state: saved and put back exactly, described as a person would see it, compared with what it should be."""
