"""How close each phase and format comes to what the machine can do: `motley bench --bounds` over models' shapes, as one table.

    ./dev bench cpu             prints it (about 30 minutes on 2 cores)
    ./dev bench cpu --two       with two threads only (10 minutes)
    ./dev bench cpu --write     and puts it into docs/performance.md
    ./dev bench cpu --quick     one repetition, 2 threads, the large shape only
"""

import os
import sys

from tables import bench, publish, stamp, table

# shape, type, extra flags
CASES = [
    ("llama-3.2-1b", "q8_0", ["-p", "512", "-n", "32", "--batch", "4,8,16"]),
    ("llama-3.2-1b", "q4_0", ["-p", "512", "-n", "32", "--batch", "4,8,16"]),
    ("llama-3.2-1b", "q4_k_m", ["-p", "512", "-n", "32", "--batch", "8"]),
    ("llama-3.2-1b", "q6_k", ["-p", "512", "-n", "32"]),
    ("llama-3.2-1b", "bf16", ["-p", "512", "-n", "16"]),
    ("llama-3.2-1b", "f32", ["-p", "512", "-n", "16"]),
    ("llama-3.2-1b", "q4_0", ["-p", "0", "-n", "16", "--depth", "8192"]),
    ("qwen2.5-0.5b", "q8_0", ["-p", "512", "-n", "64"]),
    ("qwen2.5-0.5b", "q4_0", ["-p", "512", "-n", "64"]),
    ("smollm2-135m", "q8_0", ["-p", "512", "-n", "64"]),
    ("smollm2-135m", "q4_0", ["-p", "512", "-n", "64"]),
]

HEADS = ["model", "type", "phase", "threads", "tok/s", "limit", "reached", "without arithmetic", "without loads", "of the lower"]


def main():
    quick = "--quick" in sys.argv
    one_as_well = not quick and "--two" not in sys.argv
    cores = min(2, len(os.sched_getaffinity(0)))
    rows = []
    for shape, kind, flags in CASES:
        if quick and shape != "llama-3.2-1b":
            continue
        for threads in sorted({cores, 1} if one_as_well else {cores}, reverse=True):
            depth = flags[flags.index("--depth") + 1] if "--depth" in flags else ""
            for m in bench("--shape", f"{shape}:{kind}", "-t", threads, "-r", 1 if quick else 5, "--bounds", *flags):
                phase = {"prefill": f"prefill {m['tokens']}", "batch": f"decode of {m['batch']}"}.get(m["phase"], "decode")
                if depth:
                    phase += f" at {depth}"
                unit = "GB/s" if m["limit_name"] == "read bytes/s" else "GFLOP/s" if m["limit_name"].startswith("f32") else "GOP/s"
                row = [shape, kind, phase, threads, f"{m['tok_s']:.1f}", f"{m['limit'] / 1e9:.0f} {unit}", f"{100 * m['fraction_of_limit']:.0f} %"]
                row += [f"{m['without_arithmetic_tok_s']:.1f}", f"{m['without_loads_tok_s']:.1f}", f"{100 * m['fraction_of_bound']:.0f} %"]
                print(*row, sep=" | ", file=sys.stderr, flush=True)  # a long run shows how far it is
                rows.append(row)
    publish("cpu", f"{stamp()}; medians of {1 if quick else 5}.\n\n" + table(HEADS, rows))


if __name__ == "__main__":
    main()
