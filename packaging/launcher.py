"""Where the frozen application begins."""

import os

# The starter made the loader look into the bundle first, and the loader has taken note. Programs that edgerag starts (a
# browser, an editor, pip) must find the system's libraries again, not these; edgerag itself, started as a parse worker,
# the bundle's, for which its starter has to begin anew.
if "LD_LIBRARY_PATH_ORIG" in os.environ:
    os.environ["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH_ORIG"]
else:
    os.environ.pop("LD_LIBRARY_PATH", None)
os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"

from edgerag.cli import main

if __name__ == "__main__":
    main()
