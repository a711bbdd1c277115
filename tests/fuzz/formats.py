"""Every format that is read."""

from fuzz.data_files import DATA_FILES
from fuzz.run_files import RUN_FILES

FORMATS = DATA_FILES | RUN_FILES
