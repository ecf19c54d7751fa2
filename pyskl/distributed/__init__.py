"""Communication, monitoring and stopping of the processes of a run."""
