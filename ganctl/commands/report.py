"""`ganctl report`: one page that shows a run: scores, pictures over time, curves, the doctor's word."""

from dataclasses import dataclass
from pathlib import Path

from ganctl.commands.arguments import option, parse

NAME = "report.html"


@dataclass
class Arguments:
    """Write one HTML file that opens from disk without a network, e.g.  ganctl report run=outputs/first

    Works while the run is still training; make it again for the latest figures.
    """

    run: str | None = option(None, "a run folder or its name; the newest run when not given", positional=True)
    ckpt: str = option("last", "whose samples are shown: last, best, or the images seen of a numbered checkpoint")
    out: str | None = option(None, "file to write; RUN/report.html when not given")


def run(argv: list[str]) -> int:
    """Write the page; prints where. Returns the exit code."""
    arguments = parse(Arguments, argv, "report")
    from ganctl.runs import store

    found = store.find(arguments.run, needs_checkpoint=False)
    if arguments.ckpt != "last":
        store.checkpoint_path(found, arguments.ckpt)
    from ganctl.reports.files import page_place, write_page
    from ganctl.reports.groups import grouped
    from ganctl.reports.page import page
    from ganctl.reports.record import record
    from ganctl.reports.scoring import without_checkpoint

    path = page_place(arguments.out) if arguments.out else Path(found.folder / NAME)
    told = record(found)
    write_page(path, page(grouped([told]), told.name, arguments.ckpt))
    print(f"{path}  (open it in a browser; {told.images_seen:,} images seen, {told.status.state})")
    if not told.checkpoints:
        print(f"  {without_checkpoint(told)}")
    return 0
