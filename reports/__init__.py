"""The writers: terminal, JSON, Allure; each reads the same values."""
