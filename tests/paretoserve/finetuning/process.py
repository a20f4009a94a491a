"""`paretoserve` as a process of its own, which keeps the state of a training after every step.

    python -m tests.paretoserve.finetuning.process LARGEST_FILE ARGUMENT...

No file may get more than LARGEST_FILE bytes, as on a disk that is full; 0 is any number.
"""

import resource
import sys

from paretoserve.cli import main
from recipes.training import loop

if __name__ == "__main__":
    loop.SAVE_EVERY_S = 0.0
    if largest := int(sys.argv.pop(1)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    main()
