"""Read mutated files of one kind that is no picture: a program for `test_mutations.py`.

`python mutated_records.py KIND SEED COUNT KEEP` writes a table of what happened as JSON. It runs in
a process of its own, so that a crash, a hang or a full memory is that process's alone.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from mutations import mutate, mutate_json, read_all
from training_data import DATA, TINY

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.data.download import read_registry
from toposeg_lite.structures import load_pretrained
from toposeg_lite.training import load_checkpoint, train
from toposeg_lite.workbook.studies import Arm, Study, StudyConfig, read_runs
from toposeg_lite.workbook.studies.__main__ import main as command
from toposeg_lite.workbook.studies.calibration import read_calibration
from toposeg_lite.workbook.studies.orders import order_tables, read_orders
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

ASSETS = Path(__file__).parents[1] / "toposeg_lite" / "data" / "assets"
IMAGE = np.random.default_rng(0).random((9, 12)).round(2)


# --- Changes -------------------------------------------------------------------------------------


def change_json(data, rng):
    """Half of the files are changed in their bytes, half in their values."""
    if rng.random() < 0.5:
        return mutate(data, rng)
    return mutate_json(json.loads(data), rng).encode()


def change_tensors(data, rng):
    """Change a safetensors file: bytes, what its header says, or the facts inside the header."""
    kind = rng.integers(3)
    if kind == 0:
        return mutate(data, rng)
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    if kind == 1:
        text = mutate_json(header, rng).encode()
    else:
        facts = json.loads(header["__metadata__"]["toposeg_lite"])
        header["__metadata__"]["toposeg_lite"] = mutate_json(facts, rng)
        text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def change_journal(data, rng):
    """Change bytes, or what a line says with a checksum that fits it."""
    if rng.random() < 0.4:
        return mutate(data, rng)
    lines = data.splitlines(keepends=True)
    k = int(rng.integers(len(lines)))
    record = json.loads(lines[k])
    del record["check"]
    text = mutate_json(record, rng)
    text = text[:-1] if text.endswith("}") else text
    lines[k] = f'{text}, "check": "{zlib.crc32(text.encode()):08x}"}}\n'.encode()
    if rng.random() < 0.2:
        lines.insert(int(rng.integers(len(lines))), lines[k])
    return b"".join(lines)


def change_npz(data, rng):
    """Change bytes, or the array inside with a checksum that fits it."""
    if rng.random() < 0.4:
        return mutate(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = archive.read("likelihood.npy")
    if rng.random() < 0.3:  # a header that asks for much
        content = content.replace(b"(9, 12)", b"(99999, 99999)")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("likelihood.npy", mutate(content, rng))
    return file.getvalue()


# --- Kinds: good files, how they are changed, how they are read, what may be raised --------------


def journal(place):
    path = place / "eye.jsonl"
    with AnnotationSession(IMAGE, IMAGE, path) as session:
        session.accept([0, 1])
        session.draw([(0, 0), (8, 8)], radius=2)
        session.undo()
        session.redo()
        session.learn()
        session.erase([(3, 3)])
    whole = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        with AnnotationSession(IMAGE, None, path) as session:
            session.mask(), session.progress(), session.queue()

    return [whole], change_journal, read, ValueError


def likelihood(place):
    path = place / "eye.jsonl"
    AnnotationSession(IMAGE, IMAGE, path).close()
    kept = place / "eye.jsonl.likelihood.npz"
    whole, plain = kept.read_bytes(), io.BytesIO()
    np.savez(plain, likelihood=np.asfortranarray(IMAGE))

    def read(data):
        kept.write_bytes(data)
        AnnotationSession(IMAGE, None, path).close()

    return [whole, plain.getvalue()], change_npz, read, ValueError


def checkpoint(place):
    from dataclasses import replace

    path = place / "net.safetensors"
    good = []
    for more in ({}, {"validate_every": 2}):
        train(replace(TINY, steps=4, **more), data=DATA, progress=False).save(path)
        good.append(path.read_bytes())

    def read(data):
        path.write_bytes(data)
        found = load_checkpoint(path)
        assert found.finished in (True, False)
        found.model(), found.model(last=True)
        found.save(path)

    return good, change_tensors, read, ValueError


def pretrained(place):
    path = place / "net.safetensors"

    def read(data):
        path.write_bytes(data)
        for mode in ("branch", "threshold"):
            load_pretrained(mode, path=path)

    whole = (ASSETS / "structures-chase_db1.safetensors").read_bytes()
    return [whole], change_tensors, read, ValueError


def registry(place):
    whole = json.loads((ASSETS / "benchmarks.json").read_bytes())
    for source in whole.values():
        source["files"] = dict(list(source["files"].items())[:3])
    return [json.dumps(whole).encode()], change_json, read_registry, ValueError


def calibration(place):
    path = place / "study.json"

    def read(data):
        path.write_bytes(data)
        read_calibration(path)

    whole = (REFERENCE_RUNS / "chase_db1-calibration.json").read_bytes()
    return [whole], change_json, read, ValueError


def orders(place):
    path = place / "orders.json"
    whole = json.loads((REFERENCE_RUNS / "annotation-orders.json").read_bytes())
    whole = {name: whole[name] for name in list(whole)[:1]}

    def read(data):
        path.write_bytes(data)
        read_orders(path)

    first = next(iter(whole.values()))
    order_tables(first, "cldice")
    return [json.dumps(whole).encode()], change_json, read, ValueError


def runs(place):
    path = place / "wall.json"
    comparison = (REFERENCE_RUNS / "retina-topological-seed0.json").read_bytes()
    study = (REFERENCE_RUNS / "topomortar-study.json").read_bytes()
    (place / "wall.csv").write_bytes((REFERENCE_RUNS / "topomortar-study.csv").read_bytes())

    def read(data):
        path.write_bytes(data)
        for run in read_runs(place).values():
            assert run.name
            assert run.metrics

    return [comparison, study], change_json, read, ValueError


def table(place):
    (place / "wall.json").write_bytes((REFERENCE_RUNS / "topomortar-study.json").read_bytes())
    path = place / "wall.csv"

    def read(data):
        path.write_bytes(data)
        read_runs(place)

    whole = (REFERENCE_RUNS / "topomortar-study.csv").read_bytes()[:4000].rpartition(b"\n")[0]
    return [whole], mutate, read, ValueError


def tables(place):
    path = place / "study.json"

    def read(data):
        path.write_bytes(data)
        if command(["table", str(path)]):  # says on stderr what is wrong
            raise ValueError

    return [(REFERENCE_RUNS / "topomortar-study.json").read_bytes()], change_json, read, ValueError


def scores(place):
    """The scores of images that a study has kept."""
    shared = {"dataset": "brick", "patch": 16, "batch": 2, "width": 2, "depth": 2}
    arm = Arm("rank", "topological", {"matching": "rank"}, (0.1,))
    config = StudyConfig.from_parameters(
        **shared, arms=(arm,), seeds=(0,), pretrain_steps=2, finetune_steps=2
    )

    def study():
        return Study(config, place, data=DATA, say=lambda line: None).run()

    study()
    path = place / "seed0" / "control.test.json"

    def read(data):
        path.write_bytes(data)
        study()

    return [path.read_bytes()], change_json, read, ValueError


KINDS = {
    function.__name__: function
    for function in (
        journal, likelihood, checkpoint, pretrained, registry, calibration, orders, runs, table,
        tables, scores,
    )
}  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # damaged lines of journals are told of
    kind, seed, count, keep = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        made = KINDS[kind](Path(folder))
        stdout, sys.stdout = sys.stdout, io.StringIO()  # tables are printed
        stderr, sys.stderr = sys.stderr, (sys.stderr if kind != "tables" else io.StringIO())
        counts = read_all(*made, int(count), np.random.default_rng(int(seed)), Path(keep))
    print(json.dumps(counts), file=stdout)
