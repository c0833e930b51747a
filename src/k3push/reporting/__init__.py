"""What a run came to, for people and programs: the results folder, report, exports."""
