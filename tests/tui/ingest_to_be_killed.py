"""Run by `test_jobs_killed.py`: the application in the middle of an ingest that never ends by itself."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from edgerag.datatypes import Encoding
from tests.fakes import FakeEmbedder
from tests.tui.driving import running


class SlowEmbedder(FakeEmbedder):
    """Stops for good once it has seen some texts."""

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        if len(self.embedded_texts) >= 40:
            print("in the middle", flush=True)
            time.sleep(60)
        return super().encode_documents(texts)


async def main(folder: Path) -> None:
    async with running(folder, documents={}) as driver:
        driver.engine.models._parts["embedder"] = SlowEmbedder()
        driver.app.jobs.add((str(folder / "documents"),))
        await driver.until(lambda: False)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
