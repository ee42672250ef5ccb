"""What each command of the command line does: one file a command, with `run(options, console) -> exit code`."""
