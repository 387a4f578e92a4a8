"""Print the folder of the trainers: ``export nnUNet_extTrainer="$(python -m ...)"``."""

from .addition import TRAINERS

if __name__ == "__main__":
    print(TRAINERS)
