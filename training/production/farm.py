"""Jobs of many parts, run in this process, on all cores of this machine or on a batch farm, with equal results.

A part is a function with its arguments; it writes its own files into the output folder, each atomically. A note of
every finished part is kept there, so that a restarted job runs only what is missing; if a worker dies, another one
repeats its part.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from models.errors import InputError, ToolMissing, nearest, not_installed
from models.files import made_folder, write_text
from models.wording import counted
from models.yaml_file import read_yaml
from training.production.stream import keep_inputs

NOTES = ".parts"
"""Folder of the notes, inside the output folder."""
_TRIES = 5
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": 1 << 28, "MALLOC_MMAP_THRESHOLD_": 1 << 28}
"""Environment of the workers: by default, malloc returns every freed array to the system, which doubles the time for
large arrays."""

log = logging.getLogger(__name__)

Counts = dict[str, int]
Done = Callable[[str, Counts], None]


@dataclass(frozen=True)
class Outcome:
    """Outcome of a part: counts to show and add up, and the files it wrote."""

    counts: Counts
    files: list[str]


class FarmConfig(BaseModel):
    """Where parts run; `options`, such as queue or walltime, are passed to the cluster class of dask-jobqueue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: Literal["local", "htcondor", "slurm"] = "local"
    n_workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    cores: Annotated[int, Field(ge=1)] = 1
    memory: str = "2GiB"
    resubmit_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Batch systems do not restart jobs that they killed: missing jobs are resubmitted after this time."""
    options: dict[str, Any] = {}
    _where: str = PrivateAttr("the farm")

    @classmethod
    def load(cls, path: str | Path) -> FarmConfig:
        """Read a YAML file; raises InputError naming file, line and key."""
        content, lines = read_yaml(Path(path))
        try:
            farm = cls.model_validate(content or {})
            farm._where = str(path)
            return farm
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0]) if first["loc"] else "file"
            where = f"{path}:{lines.get((key,), 1)}"
            hint = nearest(key, cls.model_fields) if first["type"] == "extra_forbidden" else f", got {first['input']!r}"
            raise InputError(f"{where}: {key}: {first['msg']}{hint}") from None


@dataclass(frozen=True)
class Part:
    """One piece of work: `function(**arguments)`, called in any process, possibly more than once.

    It reads `inputs` and writes or deletes some of `outputs`. Its rows are those of `span` of a `source`: of one span,
    a folder holds the rows once.
    """

    name: str
    function: Callable[..., Outcome]
    arguments: dict[str, Any]
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    source: str = ""
    span: tuple[int, int] = (0, 1)

    def digest(self) -> str:
        """Digest of everything the result depends on: function, arguments, size and time of the input files."""
        states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in self.inputs]
        return self._digest(sorted(self.arguments.items()), states)

    def settings(self) -> str:
        """Digest of the function, of those arguments that are options, not files, and of the formats of the results."""
        options = sorted((name, value) for name, value in self.arguments.items() if not isinstance(value, Path))
        return self._digest(options, [path.suffix for path in self.outputs])

    def _digest(self, *content: object) -> str:
        text = repr((self.function.__module__, self.function.__qualname__, *content))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(parts: Sequence[Part], output: Path, farm: FarmConfig | None = None, done: Done | None = None,
        cluster: Any = None, *, force: bool = False) -> dict[str, Counts]:
    """Run all unfinished parts and return the counts of each part by name, in the order of `parts`.

    `done` is called as each part finishes. `cluster` is a running dask cluster to use instead of `farm`'s own. Raises
    InputError if two parts have one name, if a part would overwrite an input, or if the folder holds the same rows made
    with other options or in other parts; `force` replaces those.
    """
    names = [part.name for part in parts]
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two parts of this job would write '{repeated}'; give the input files different names")
    # All parts at once: one part could overwrite what another has yet to read.
    keep_inputs({path for part in parts for path in part.inputs}, [path for part in parts for path in part.outputs])
    _clear(parts, output, force)
    finished = {part.name: counts for part in parts if (counts := _read_note(output, part)) is not None}
    left = [part for part in parts if part.name not in finished]
    if finished:
        log.info("%s of %s already done", f"{len(finished):,}", counted(len(parts), "part"))
    farm = farm or FarmConfig()
    alone = cluster is None and farm.cluster == "local" and farm.n_workers == 1
    with made_folder(output):
        for part, outcome in _here(left) if alone else _on_cluster(left, farm, cluster):
            _write_note(output, part, outcome)
            finished[part.name] = outcome.counts
            if done is not None:
                done(part.name, outcome.counts)
    return {name: finished[name] for name in names}


def _here(parts: Sequence[Part]) -> Iterator[tuple[Part, Outcome]]:
    for part in parts:
        yield part, part.function(**part.arguments)


def _on_cluster(parts: Sequence[Part], farm: FarmConfig, cluster: Any) -> Iterator[tuple[Part, Outcome]]:
    if not parts:
        return
    by_name = {part.name: part for part in parts}
    with client_of(farm, cluster) as client:
        futures = [client.submit(part.function, **part.arguments, key=part.name, pure=False) for part in parts]
        for future in client.finished(futures):
            yield by_name[future.key], client.result(future)


class FarmClient:
    """Work of one process that others do: as of dask's client, but a worker that dies again and again is an OSError."""

    def __init__(self, client: Any, farm: FarmConfig) -> None:
        self._client, self._farm = client, farm

    def submit(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Hand in a call; see `distributed.Client.submit`."""
        return self._client.submit(function, **arguments)

    def finished(self, futures: Sequence[Any] = ()) -> Any:
        """Iterate over futures as they finish; `add` of what is returned takes more of them."""
        from distributed import as_completed  # noqa: PLC0415  (of the extra "data")

        return as_completed(futures)

    def result(self, future: Any) -> Any:
        """What a call returned; raises what it raised."""
        from distributed import KilledWorker  # noqa: PLC0415  (of the extra "data")

        try:
            return future.result()
        except KilledWorker:
            raise OSError(f"part {future.key} killed {_TRIES} workers; memory: {self._farm.memory}") from None


@contextmanager
def client_of(farm: FarmConfig, cluster: Any = None) -> Iterator[FarmClient]:
    """Client of the configured cluster, or of one that runs already; raises ToolMissing without the extra "data"."""
    try:
        from distributed import Client  # noqa: PLC0415  (of the extra "data")
    except ImportError as error:
        raise not_installed(error, "more than one worker needs", "data") from None
    logging.getLogger("distributed").setLevel(logging.WARNING)  # that workers come and go is no news
    with (nullcontext(cluster) if cluster is not None else closing(make_cluster(farm)) as running,
          Client(running) as client):
        yield FarmClient(client, farm)


@contextmanager
def closing(cluster: Any) -> Iterator[Any]:
    """A cluster that is closed at the end; workers of a busy machine may end later than dask waits for them."""
    try:
        yield cluster
    finally:
        # Nothing is lost any more with a worker that dask kills.
        logging.getLogger("distributed.nanny").setLevel(logging.ERROR)
        try:
            cluster.close()
        except (TimeoutError, asyncio.TimeoutError):
            log.warning("not all workers have ended yet")
        finally:
            logging.getLogger("distributed.nanny").setLevel(logging.NOTSET)


def make_cluster(farm: FarmConfig) -> Any:
    """Start the configured dask cluster and request its workers; a batch system starts them when it has room."""
    import dask  # noqa: PLC0415  (of the extra "data")

    # One worker may die by bad luck (memory, a failing node), but hardly five with the same part.
    dask.config.set({"distributed.scheduler.allowed-failures": _TRIES})
    if farm.cluster == "local":
        from distributed import LocalCluster  # noqa: PLC0415  (of the extra "data")

        environment = _MALLOC | {"DASK_LOGGING__DISTRIBUTED": "critical"}  # errors of parts are raised here
        dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in environment.items()})
        with _options(farm):
            return LocalCluster(n_workers=farm.n_workers, threads_per_worker=1, memory_limit=farm.memory,
                                dashboard_address=None, **farm.options)
    from tornado.ioloop import PeriodicCallback  # noqa: PLC0415  (of the extra "data")

    command = {"htcondor": "condor_submit", "slurm": "sbatch"}[farm.cluster]
    if shutil.which(command) is None:  # dask would wait for workers forever
        raise ToolMissing(f"{farm.cluster} needs the command {command}, which is not on the PATH")
    cluster = batch_cluster(farm)
    cluster.scale(n=farm.n_workers)
    again = PeriodicCallback(lambda: cluster.scale(n=farm.n_workers), 1000 * farm.resubmit_seconds)
    cluster.periodic_callbacks["ask again"] = again  # stopped with the cluster
    cluster.loop.add_callback(again.start)
    return cluster


def batch_cluster(farm: FarmConfig) -> Any:
    """Create a cluster whose workers are HTCondor or SLURM jobs, none of them submitted yet."""
    try:
        from dask_jobqueue import HTCondorCluster, SLURMCluster  # noqa: PLC0415  (of the extra "data")
    except ImportError as error:
        raise not_installed(error, f"{farm.cluster} needs", "data") from None
    lines = farm.options.get("job_script_prologue", [])
    if not isinstance(lines, list):
        raise InputError(f"{farm._where}: options: job_script_prologue: {lines!r}, expected a list of lines")
    before = [f"export {name}={value}" for name, value in _MALLOC.items()]
    options: dict[str, Any] = {"cores": farm.cores, "processes": farm.cores, "memory": farm.memory} | farm.options
    options["job_script_prologue"] = [*before, *lines]
    with _options(farm):
        if farm.cluster == "htcondor":
            return HTCondorCluster(**{"disk": "4GB"} | options)
        return SLURMCluster(**options)


@contextmanager
def _options(farm: FarmConfig) -> Iterator[None]:
    """Turn errors of a cluster class into InputError: it checks options only when it is created."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError) as error:
        said = " ".join(str(problem).partition("\n")[0] for problem in (error, error.__cause__) if problem is not None)
        raise InputError(f"{farm._where}: memory or options: rejected by {farm.cluster}: {said}") from None


def _note(output: Path, name: str) -> Path:
    return output / NOTES / f"{name.replace('/', '_')}.json"


class _Note(BaseModel):
    """What is kept of a finished part."""

    model_config = ConfigDict(frozen=True)

    digest: str
    settings: str = ""
    source: str = ""
    span: tuple[int, int] = (0, 0)
    counts: Counts
    files: dict[str, int]
    """Size by name, relative to the output folder."""

    @classmethod
    def find(cls, path: Path) -> _Note | None:
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def complete(self, output: Path) -> bool:
        """Whether all files are there, as long as they were."""
        return all((output / name).is_file() and (output / name).stat().st_size == size
                   for name, size in self.files.items())


def _clear(parts: Sequence[Part], output: Path, force: bool) -> None:
    """Refuse to replace finished files of other options, and to add rows that the folder holds; or delete them."""
    by_note = {_note(output, part.name).name: part for part in parts}
    by_source: dict[str, list[tuple[int, int]]] = {}
    for part in parts:
        by_source.setdefault(part.source, []).append(part.span)
    for path in sorted((output / NOTES).glob("[!.]*.json")):
        note, same = _Note.find(path), by_note.get(path.name)
        if note is None or not note.files or not note.settings or not note.complete(output):
            continue
        spans = by_source.get(note.source, ()) if note.source else ()
        overlaps = any(first < note.span[1] and note.span[0] < last for first, last in spans)
        if same.settings() == note.settings if same else not overlaps:
            continue
        if not force:
            how = "with other options" if same else "of the same rows, in other parts"
            raise InputError(f"{output / min(note.files)}: made before, {how}; choose another --output, or give "
                             "--force to replace it")
        for name in note.files:
            (output / name).unlink(missing_ok=True)
        path.unlink()


def _read_note(output: Path, part: Part) -> Counts | None:
    """Counts of a finished part; None unless its note has the digest of the part and its files are complete."""
    note = _Note.find(_note(output, part.name))
    return note.counts if note and note.digest == part.digest() and note.complete(output) else None


def _write_note(output: Path, part: Part, outcome: Outcome) -> None:
    files = {str(Path(file).relative_to(output)): Path(file).stat().st_size for file in outcome.files}
    note = _Note(digest=part.digest(), settings=part.settings(), source=part.source, span=part.span,
                 counts=outcome.counts, files=files)
    write_text(_note(output, part.name), note.model_dump_json(indent=1) + "\n")
