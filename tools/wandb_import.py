#!/usr/bin/env python3
"""Writes a training run of Motley as an offline run of Weights & Biases, for `wandb sync` to send.

    pip install wandb pyyaml
    python3 tools/wandb_import.py runs/chat --project stories        # prints the folder; then: wandb sync FOLDER

The curves are those of metrics.jsonl, under the step that each line names, the configuration is the recipe of the newest checkpoint, and what
was decided on the way (lines with a note) goes into the run's log.
"""

import argparse
import json
import os
from pathlib import Path

import wandb
import yaml


def read_recipe(run: Path):
    recipes = sorted(run.glob("checkpoint-*/recipe.yaml"), key=lambda path: int(path.parent.name.rpartition("-")[2]))
    return {key: number(value) for key, value in yaml.safe_load(recipes[-1].read_text()).items()} if recipes else {}


def number(value):
    """YAML takes 1e-08, without a point, for a text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="the --output of a training")
    parser.add_argument("--project", default="motley")
    parser.add_argument("--name", help="default: the folder's name")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in (arguments.run / "metrics.jsonl").read_text().splitlines()]

    os.environ["WANDB_MODE"] = "offline"
    run = wandb.init(project=arguments.project, name=arguments.name or arguments.run.name, dir=arguments.run, config=read_recipe(arguments.run))
    for step in sorted({line["step"] for line in lines}):
        values = {}
        for line in (line for line in lines if line["step"] == step):
            if "note" in line:
                print(f"step {step}: {line['note']}")
            values |= {key: value for key, value in line.items() if key not in ("step", "note") and value is not None}
        run.log(values, step=step)
    folder = Path(run.dir).parent
    run.finish()
    print(folder)


if __name__ == "__main__":
    main()
