"""Whatever a codec does, its case ends with a status, and the next codec is measured.

Every fault in :mod:`campaigns.faults` is an adapter here. Some faults, then a sound codec, are
measured by one ``harness run``, inline, in a virtual environment and in a container. The claim is
broken if the run ends otherwise than documented, if a fault's case has no record or one with
another status, if the sound codec is not measured, or if anything is left: a process, a container,
a scratch folder, a log of more than 64 MB.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from campaigns.containment import RECIPE, available, containment
from campaigns.tally import Effort, Tally
from harness.environments.docker_engine import OWNER_LABEL, engine
from harness.store.load import load_results
from harness.worker.family import is_alive, with_variable
from harness.worker.supervisor import LOG_BYTES

ROOT = Path(__file__).resolve().parents[1]
FAULTS = Path(__file__).with_name("faults")
TIMEOUT = 3
MEMORY_GIB = 1
IN_ONE_RUN = 24
MARK = "HARNESS_CAMPAIGN"


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    Attributes:
        name: The function of :mod:`campaigns.faults`.
        during: The moment at which it is called.
        ends: The statuses that its case may end with.
        kind: The class of codec that it needs.
        long: Whether it takes a minute, and is left out of the short part.
    """

    name: str
    during: str
    ends: frozenset[str]
    kind: str = "Sound"
    long: bool = False

    @property
    def codec(self) -> str:
        """The name of its adapter."""
        return f"{self.name.replace('_', '-')}-in-{self.during}"


def _faults(kind: str, during: str, ends: str, names: str, *, long: bool = False) -> list[Fault]:
    return [Fault(n, during, frozenset(ends.split()), kind, long) for n in names.split()]


LIES = """
    garbage text_on_socket no_json list_of_json no_utf8 deep_json digits huge_payload huge_header
    huge_answer other_request no_request true_as_request unknown_event event_is_a_list
    error_that_is_ok error_without_reason error_of_numbers times_not_a_number times_infinite
    times_negative times_huge times_huge_integer times_true times_text times_null times_none
    times_many times_years memory_huge memory_negative memory_float same_is_text field_too_many
    field_missing calls_without_end
"""
ALL_FAULTS = [
    *_faults("Sound", "bytes", "wrong_output", "nothing text empty true too_many_bytes"),
    *_faults("Sound", "bytes", "ok failed wrong_output", "lying_bytes strided_bytes"),
    *_faults("Sound", "bytes", "failed", "floats_as_bytes"),
    *_faults("Sound", "output", "wrong_output", "nothing text objects floats signed structured"),
    *_faults("Sound", "output", "wrong_output", "endless_array no_pixels scalar large_image"),
    *_faults("Sound", "output", "wrong_output", "cropped turned gray with_alpha many_dimensions"),
    *_faults("Sound", "output", "ok", "lying_array masked_array"),
    *_faults("Sound", "facts", "wrong_output", "nothing facts_not_a_number facts_nested"),
    *_faults("Sound", "facts", "wrong_output", "facts_without_end facts_of_bytes facts_huge"),
    *_faults("Sound", "facts", "ok", "facts_of_surrogates"),
    *_faults("Sound", "facts", "ok failed wrong_output", "facts_that_lie"),
    *_faults("Prefixed", "prefix", "wrong_output", "negative zero huge billion true text nothing"),
    *_faults("Prefixed", "prefix", "wrong_output", "not_a_number"),
    *_faults("Timed", "report", "wrong_output", "report_not_a_number report_infinite report_text"),
    *_faults("Timed", "report", "wrong_output", "report_true report_huge report_a_century nothing"),
    *_faults("Timed", "report", "wrong_output", "report_negative report_negative_memory"),
    *_faults("Timed", "report", "wrong_output", "report_huge_memory report_lookalike"),
    *_faults("Headed", "header", "wrong_output", "negative huge billion true text nothing"),
    *_faults("Counted", "profile", "wrong_output", "profile_negative profile_huge profile_text"),
    *_faults("Sound", "encode", "crashed", "raise_base raise_exit raise_exit_with_text"),
    *_faults("Sound", "decode", "crashed", "raise_interrupt raise_generator_exit raise_exit"),
    *_faults("Sound", "encode", "failed", "raise_surrogates raise_control_characters"),
    *_faults("Sound", "encode", "failed", "raise_megabytes raise_without_text raise_with_number"),
    *_faults("Sound", "encode", "failed", "raise_recursion raise_odd_refusal"),
    *_faults("Sound", "decode", "failed crashed", "raise_chain raise_surrogates"),
    *_faults("Sound", "encode", "out_of_memory", "raise_memory"),
    *_faults("Sound", "load", "failed", "raise_surrogates raise_without_text"),
    *_faults("Sound", "load", "crashed", "raise_base segfault"),
    *_faults("Sound", "encode", "wrong_output", LIES),
    *_faults("Sound", "decode", "wrong_output", "height_negative height_huge height_true"),
    *_faults("Sound", "decode", "wrong_output", "height_of_another garbage huge_answer"),
    *_faults("Sound", "encode", "ok wrong_output", "answer_twice"),
    *_faults("Sound", "encode", "ok wrong_output timeout failed crashed", "answers_to_a_child"),
    *_faults("Sound", "encode", "timeout", "half_a_frame half_a_payload trickle hang hang_in_c"),
    *_faults("Sound", "encode", "timeout", "spin hang_deaf stop_itself"),
    *_faults("Sound", "decode", "timeout", "half_a_payload hang"),
    *_faults("Sound", "encode", "ok timeout", "never_reads_again"),
    *_faults("Sound", "encode", "out_of_memory", "grow_while_answering eat_memory"),
    *_faults("Sound", "encode", "out_of_memory timeout", "eat_memory_in_child small_fork_bomb"),
    *_faults("Sound", "encode", "out_of_memory timeout", "eat_memory_in_daemon"),
    *_faults("Sound", "encode", "out_of_memory timeout", "eat_memory_in_thread_of_child"),
    *_faults("Sound", "encode", "crashed", "segfault abort kill_itself exit_at_once"),
    *_faults("Sound", "encode", "crashed", "closes_its_socket kill_its_group"),
    *_faults("Sound", "encode", "crashed", "daemon_then_exit daemon_then_crash shuts_its_socket"),
    *_faults("Sound", "encode", "crashed timeout", "kill_its_parent outlive_its_parent"),
    *_faults("Sound", "encode", "crashed timeout", "exit_handler_hangs_then_exit"),
    *_faults("Sound", "encode", "ok", "child daemon deaf_daemon spinning_daemon"),
    *_faults("Sound", "encode", "ok failed", "shell_in_background without_environment"),
    *_faults("Sound", "encode", "ok", "restless_daemon thread_outlives exit_handler_hangs"),
    # Pages that forked processes share count for each: fifty at once may pass the limit.
    *_faults("Sound", "encode", "ok out_of_memory", "without_reaping"),
    *_faults("Sound", "encode", "ok", "stop_its_parent fill_its_log binary_log"),
    *_faults("Sound", "encode", "ok", "change_folder clear_environment litter"),
    *_faults(
        "Sound",
        "encode",
        "ok failed",
        "change_mask remove_its_folder replace_its_folder limit_itself",
    ),
    *_faults("Sound", "encode", "crashed timeout", "close_descriptors"),
    *_faults("Sound", "encode", "failed crashed", "exhaust_descriptors close_python_streams"),
    *_faults("Sound", "encode", "wrong_output failed ok", "clock_of_text clock_backwards"),
    *_faults("Sound", "encode", "wrong_output", "clock_not_a_number clock_of_centuries"),
    *_faults("Sound", "encode", "ok wrong_output", "clock_stopped"),
    *_faults("Sound", "encode", "wrong_output crashed failed", "break_json break_struct"),
    *_faults("Sound", "encode", "ok failed crashed wrong_output", "forget_modules"),
    *_faults("Sound", "encode", "ok failed crashed timeout", "collect_everything"),
    *_faults("Sound", "encode", "crashed", "alarm"),
    *_faults("Sound", "encode", "crashed failed timeout", "overflow_the_stack"),
    *_faults("Sound", "encode", "ok out_of_memory", "many_daemons"),  # shared pages count for each
    *_faults("Sound", "load", "timeout", "hang stop_itself", long=True),
]
SOUND = Fault("nothing", "never", frozenset({"ok"}))


def run(effort: Effort) -> list[Tally]:
    """Run it inline, in a virtual environment, and in a container where an engine answers."""
    faults = [fault for fault in ALL_FAULTS if not (fault.long and effort.short)]
    backends = available()
    tallies = [
        attack(
            backend, [f for i, f in enumerate(faults) if not effort.short or _is_turn(i, effort, n)]
        )
        for n, backend in enumerate(backends)
    ]
    return [*tallies, containment(backends)]


def _is_turn(number: int, effort: Effort, backend: int) -> bool:
    """Whether it is a fault's turn in the short part: a sixth for each backend, by the seed."""
    return (number + effort.seed + backend) % 6 == 0


def attack(backend: str, faults: list[Fault]) -> Tally:
    """Measure codecs with these faults, some in each run, and count how their cases ended."""
    tally = Tally(f"misbehaving codecs, {backend}")
    with tempfile.TemporaryDirectory(prefix="campaign-codecs-") as name:
        place = Place(Path(name), backend)
        place.prepare(faults)
        for number in range(0, len(faults), IN_ONE_RUN):
            some = faults[number : number + IN_ONE_RUN]
            for fault, ended, broken in place.measured(some):
                if broken:
                    tally.broke(f"{fault.codec}: {broken}")
                else:
                    tally.held(ended)
    return tally


class Place:
    """A folder with the adapters, a photograph, and what a run writes."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder
        self.backend = backend
        self.adapters, self.temporary = folder / "adapters", folder / "tmp"
        self.variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HARNESS_ADAPTERS": str(self.adapters),
            "HOME": str(folder / "home"),
            "TMPDIR": str(self.temporary),
            "XDG_RUNTIME_DIR": "",
            MARK: uuid.uuid4().hex,
        }

    def prepare(self, faults: list[Fault]) -> None:
        """Write the adapters and a picture; build the environment."""
        for kind in {fault.kind for fault in [*faults, SOUND]}:
            folder = self.adapters / kind.lower()
            shutil.copytree(FAULTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
            of_kind = [fault for fault in faults if fault.kind == kind]
            (folder / "codec.toml").write_text(manifest(kind, of_kind))
            shutil.copytree(RECIPE.recipe, folder / "container")
        for folder in (self.temporary, self.folder / "home", self.folder / "pictures"):
            folder.mkdir()
        random = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(random).save(self.folder / "pictures" / "noise.png")
        if self.backend != "inline":
            self._harness("env", "build", RECIPE.name, "--backend", self.backend, check=True)

    def measured(self, faults: list[Fault]) -> Iterator[tuple[Fault, str, str]]:
        """Measure them in one run, a sound codec last; each fault, how it ended, what broke."""
        codecs = [fault.codec for fault in faults]
        name = uuid.uuid4().hex[:8]
        done = self._harness(
            *("run", "--codec", ",".join([*codecs, "sound"]), "--environment", self.backend),
            *(
                "--dataset",
                str(self.folder / "pictures"),
                "--results",
                str(self.folder / "results"),
            ),
            *("--name", name, "--metric", "psnr", "--threads", "1", "--no-report"),
            *("--timeout", str(TIMEOUT), "--memory-limit", str(MEMORY_GIB)),
        )
        broken = self._broken(done, name)
        if broken and len(faults) > 1:  # which of them was it?
            for fault in faults:
                yield from self.measured([fault])
            return
        results = self.folder / "results" / name
        ends = {} if broken else dict(load_results(results)[["codec", "status"]].to_numpy())
        expected = 0 if all(end == "ok" for end in ends.values()) else 1
        if not broken and done.returncode != expected:
            broken = f"exit code {done.returncode} in place of {expected}"
        for fault in faults:
            ended = ends.get(fault.codec, "without a record")
            wrong = broken or ("" if ended in fault.ends else f"ended {ended}")
            yield fault, ended, wrong

    def _broken(self, done: subprocess.CompletedProcess[str], name: str) -> str:
        """What a run broke, apart from the statuses of its cases; nothing if it broke nothing."""
        if left := self._left():
            return left
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            return f"exit code {done.returncode}: {done.stderr[-500:]}"
        logs = (self.folder / "results" / name / "logs").rglob("*.log")
        if large := [log.name for log in logs if log.stat().st_size > LOG_BYTES + 1000]:
            return f"log of over 64 MB: {large}"
        frame = load_results(self.folder / "results" / name)
        sound = frame[frame["codec"] == "sound"]
        if list(sound["status"]) != ["ok"] or not np.isinf(sound["psnr"]).all():
            return f"the sound codec ended {list(sound['status'])}, {list(sound['psnr'])}"
        return ""

    def _left(self) -> str:
        """What a run has left over, which is then removed."""
        found = []
        pids = [pid for pid in with_variable(MARK, self.variables[MARK]) if is_alive(pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if pids:
            found.append(f"{len(pids)} processes")
        if self.backend == "docker" and (containers := _containers()):
            found.append(f"{len(containers)} containers")
        folders = [path for path in self.temporary.glob("*/*") if path.is_dir()]
        found += [path.name for path in folders]
        for path in folders:
            shutil.rmtree(path)
        return f"left over: {', '.join(found)}" if found else ""

    def _harness(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            env=self.variables, cwd=self.folder, capture_output=True, text=True, errors="replace",
            check=check,
        )  # fmt: skip


def manifest(kind: str, faults: list[Fault]) -> str:
    """The manifest of all faults of one class of codec."""
    lines = [
        f'name = "{kind.lower()}"',
        f'title = "{kind}"',
        'family = "campaign"',
        'licence = "MIT"',
        f'entry = "codec:{kind}"',
        *(["progressive = true"] if kind == "Prefixed" else []),
        *(["times_processes = true"] if kind == "Timed" else []),
        'options = { fault = "none", during = "never" }',
        'rate = [{ id = "only" }]',
        f'environment = {{ name = "{RECIPE.name}", python = "3.11" }}',
    ]
    for fault in faults:
        lines += [
            f"[variants.{fault.codec}]",
            f'title = "{fault.codec}"',
            f'options = {{ fault = "{fault.name}", during = "{fault.during}" }}',
            "in_all = false",
        ]
    return "\n".join(lines) + "\n"


def _containers() -> list[object]:
    found: list[object] = engine().containers.list(all=True, filters={"label": OWNER_LABEL})
    return found
