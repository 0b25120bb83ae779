"""What is watched and private is as before, whatever ends the test's process: records, and who puts them back."""
