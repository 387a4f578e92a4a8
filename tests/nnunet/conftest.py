"""What the commands of nnU-Net import is no test."""

collect_ignore = ["short_trainers", "stub"]
