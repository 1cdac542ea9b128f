#!/usr/bin/env python3
"""The curves of a training run in TensorBoard and Weights & Biases.

A tiny model is trained, killed between two checkpoints and gone on with. The tensorboard package has to read from the event files what
metrics.jsonl says, without the points that the killed run had logged after its checkpoint; an offline run that tools/wandb_import.py makes has to
hold the same, with the recipe as its configuration.
"""

import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motley_program import PROGRAM, ROOT, Report, need_program, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

CONFIG = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
          "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": True}
STEPS, SAVED_EVERY = 400, 40


def logged(folder):
    """By tag, the values of each step in metrics.jsonl."""
    out = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for key, value in record.items():
            if key not in ("step", "note") and value is not None:
                out.setdefault(key, {})[record["step"]] = value
    return out


def lines_of(path):
    return path.read_text().count("\n") if path.exists() else 0


def train_killed_and_resumed(folder):
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "text.txt").write_text("".join(f"one {i % 7} fish, two {i % 5} birds and {i % 3} trees.\n" for i in range(600)))
    run("tokenizer", "train", "--data", folder / "text.txt", "--vocab", 300, "-o", folder / "tokenizer")
    command = [PROGRAM, "train", "--model", folder / "config.json", "--tokenizer", folder / "tokenizer", "--data", folder / "text.txt", "--output",
               folder / "run", "--length", 32, "--batch", 2, "--steps", STEPS, "--save-every", SAVED_EVERY, "--eval-every", 20, "--log-every", 1, "-q"]
    command = [str(word) for word in command]
    first = subprocess.Popen(command)
    while lines_of(folder / "run/metrics.jsonl") < 2.5 * SAVED_EVERY and first.poll() is None:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    lost = lines_of(folder / "run/metrics.jsonl")
    subprocess.run(command, check=True)
    return folder / "run", lost


def check_tensorboard(report, folder):
    curves = EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=True)
    curves.Reload()
    files = sorted(path.name for path in folder.glob("events.out.tfevents.*"))
    report.line(len(files) == 2, f"a run that was gone on with has two event files, here {len(files)}")
    expected = logged(folder)
    report.line(set(curves.Tags()["scalars"]) == set(expected), f"TensorBoard has the tags of metrics.jsonl: {', '.join(sorted(expected))}")
    for tag in ("loss", "learning_rate", "eval_loss"):
        points = curves.Scalars(tag)
        steps, values = [p.step for p in points], {p.step: p.value for p in points}
        same = steps == sorted(expected[tag]) and all(abs(values[s] - v) <= 1e-6 * abs(v) for s, v in expected[tag].items())
        report.line(same, f"TensorBoard gives back the {len(steps)} points of {tag}, each step once")


def wandb_records(path):
    """What an offline run holds: LevelDB's log format (blocks of 32 KiB, a record in one or several pieces) behind seven bytes of its own."""
    block, head = 1 << 15, struct.Struct("<IHB")
    data, at, whole = path.read_bytes(), 7, b""
    while at + head.size <= len(data):
        if block - at % block < head.size:
            at += block - at % block
            continue
        _, length, kind = head.unpack_from(data, at)
        whole += data[at + head.size : at + head.size + length]
        at += head.size + length
        if kind in (1, 4):  # whole, or its last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def check_wandb(report, folder):
    made = subprocess.run([sys.executable, ROOT / "tools/wandb_import.py", folder, "--project", "interop"], capture_output=True, text=True, check=False)
    if made.returncode:
        report.line(False, f"tools/wandb_import.py ended with {made.returncode}: {made.stderr[-500:]}")
        return
    history, config = {}, {}
    for record in wandb_records(next(Path(made.stdout.splitlines()[-1]).glob("*.wandb"))):
        if record.HasField("run"):
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        if record.HasField("history"):
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            for key, value in values.items():
                if not key.startswith("_"):
                    history.setdefault(key, {})[values["_step"]] = value
    report.line(history == logged(folder), f"the offline run of Weights & Biases holds every value of metrics.jsonl ({len(history)} curves)")
    report.line(config.get("steps") == STEPS and config.get("optimizer") == "adamw", "and the recipe as its configuration")


def main():
    need_program()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        output, lost = train_killed_and_resumed(Path(folder))
        report.line(lost > SAVED_EVERY and lines_of(output / "metrics.jsonl") > STEPS, f"a run was killed after {lost} lines and gone on with")
        check_tensorboard(report, output)
        check_wandb(report, output)
    report.finish()


if __name__ == "__main__":
    main()
