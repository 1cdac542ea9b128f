"""Motley and llama.cpp on the same GGUF files, in turns, so that a busy or slow moment of the machine meets both.

    ./dev bench peers             prints the table
    ./dev bench peers --write     and puts it into docs/performance.md
    ./dev bench peers --quick     fewer turns, the large shape in two types only
    ./dev bench peers --isa avx2  both without AVX-512: ours with MOTLEY_ISA=avx2, llama.cpp compiled without it

The peer is the wheel llama-cpp-python of tools/bench/requirements.txt: llama.cpp's own kernels (flash attention on, llamafile's products and
repacked weights as its build has them), driven through its C API without sampling. Ours is `motley bench` on the file. Each number is
the median of the turns; a ratio compares medians of the same turns.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tables
from motley_program import PROGRAM, run

CASES = [
    ("llama-3.2-1b", "q8_0", 512, 32, [8, 16]),
    ("llama-3.2-1b", "q4_0", 512, 32, [8, 16]),
    ("llama-3.2-1b", "q4_k_m", 512, 32, []),
    ("llama-3.2-1b", "bf16", 128, 16, []),
    ("qwen2.5-0.5b", "q8_0", 512, 32, []),
    ("qwen2.5-0.5b", "q4_0", 512, 32, []),
    ("smollm2-135m", "q8_0", 512, 64, []),
    ("smollm2-135m", "q4_0", 512, 64, []),
]


class Peer:
    """llama.cpp on one file: a context per measurement, as its own benchmark does."""

    def __init__(self, path, threads):
        import llama_cpp

        self.l, self.threads = llama_cpp, threads
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp does not open {path}")

    def close(self):
        self.l.llama_model_free(self.model)

    def timed(self, sequences, prompt, steps):
        """Seconds of `steps` decodes of one token for each sequence after a prompt of `prompt` tokens, or of the prompt if steps is 0."""
        l = self.l
        p = l.llama_context_default_params()
        p.n_ctx = sequences * (prompt + steps + 16)
        p.n_batch = p.n_ubatch = max(512, sequences)
        p.n_seq_max, p.n_threads, p.n_threads_batch = sequences, self.threads, self.threads
        p.flash_attn_type = 1
        context = l.llama_init_from_model(self.model, p)
        batch = l.llama_batch_init(max(prompt * sequences, sequences, 512), 0, 1)

        def decode(tokens):
            batch.n_tokens = len(tokens)
            for i, (position, sequence, logits) in enumerate(tokens):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = 100 + i % 50, position, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, logits
            if l.llama_decode(context, batch) != 0:
                sys.exit("llama.cpp failed to decode")
            l.llama_synchronize(context)

        decode([(0, 0, 1)])  # what is done once
        l.llama_memory_clear(l.llama_get_memory(context), True)
        begin = time.perf_counter()
        for s in range(sequences):
            if prompt:
                decode([(i, s, int(i == prompt - 1)) for i in range(prompt)])
        if steps:
            begin = time.perf_counter()
            for i in range(steps):
                decode([(prompt + i, s, 1) for s in range(sequences)])
        seconds = time.perf_counter() - begin
        l.llama_batch_free(batch)
        l.llama_free(context)
        return seconds

    def measure(self, phase, prompt, steps, sequences):
        if phase == "prefill":
            return prompt / self.timed(1, prompt, 0)
        return sequences * steps / self.timed(sequences, 1, steps)


def load_and_memory(path, threads):
    """Seconds from start to the first token, and the largest resident size in MB, of a process each."""
    peer = (
        "import ctypes, sys, llama_cpp as l\n"
        "f = l.llama_log_callback(lambda *_: None); l.llama_log_set(f, ctypes.c_void_p(0))\n"
        "import time; t = time.perf_counter()\n"
        f"m = l.llama_model_load_from_file({str(path)!r}.encode(), l.llama_model_default_params())\n"
        f"p = l.llama_context_default_params(); p.n_ctx = 512; p.n_threads = p.n_threads_batch = {threads}; p.flash_attn_type = 1\n"
        "c = l.llama_init_from_model(m, p)\n"
        "l.llama_decode(c, l.llama_batch_get_one((l.llama_token * 1)(100), 1)); l.llama_synchronize(c)\n"
        "t = time.perf_counter() - t\n"
        "import resource; print(t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)\n"
    )
    ours = (
        "import resource, subprocess, time; t = time.perf_counter()\n"
        f"subprocess.run([{PROGRAM!r}, 'run', {str(path)!r}, '--ids', '[100]', '-n', '1', '-c', '512', '-t', '{threads}'], check=True, stdout=-3, stderr=-3)\n"
        "t = time.perf_counter() - t\n"
        "print(t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000)\n"
    )
    # In turns: where the host takes memory back, who comes first finds less of it ready.
    runs = {program: [] for program in (ours, peer)}
    for _ in range(5):
        for program, seen in runs.items():
            done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
            seen.append(list(map(float, done.stdout.split())))
    return [(statistics.median(r[0] for r in seen), max(r[1] for r in seen)) for seen in runs.values()]


def system_of_peer(isa):
    """What llama.cpp says it was compiled with; products of llamafile and repacked weights must be there, AVX-512 as asked for."""
    import llama_cpp

    words = llama_cpp.llama_print_system_info().decode().replace("CPU :", "").split("|")
    has = {name.strip() for name, _, value in (word.partition("=") for word in words) if value.strip() == "1"}
    if not {"LLAMAFILE", "REPACK"} <= has:
        sys.exit(f"this llama.cpp lacks llamafile's products or repacked weights, which upstream has: {sorted(has)}")
    if isa == "avx2" and (any(name.startswith("AVX512") for name in has) or not {"AVX2", "FMA", "F16C"} <= has):
        sys.exit(f"this llama.cpp was compiled for {sorted(has)}, not for AVX2 alone; ./dev bench peers --isa avx2 makes its own")
    return llama_cpp.__version__


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="fewer turns, the large shape in two types only")
    parser.add_argument("--isa", choices=["avx2"], help="both programs without AVX-512")
    arguments = parser.parse_args()
    quick, version = arguments.quick, system_of_peer(arguments.isa)
    if arguments.isa:
        os.environ["MOTLEY_ISA"] = arguments.isa
    turns, threads = (2, 2) if quick else (5, 2)
    rows, loads = [], []
    for shape, kind, prompt, steps, batches in CASES[:2] if quick else CASES:
        with tempfile.TemporaryDirectory(dir=tables.ROOT / "build") as folder:
            file = Path(folder) / f"{shape}-{kind}.gguf"
            run("bench", "--shape", f"{shape}:{kind}", "--write", file)
            phases = [("prefill", prompt, 0, 1), ("decode", 0, steps, 1)] + [("batch", 0, steps, b) for b in batches]
            ours, theirs = {p: [] for p in phases}, {p: [] for p in phases}
            peer = Peer(file, threads)
            for _ in range(turns):
                flags = ["-p", prompt, "-n", steps, "-t", threads, "-r", 1] + (["--batch", ",".join(map(str, batches))] if batches else [])
                for m in tables.bench("-m", file, *flags):
                    key = next(p for p in phases if p[0] == m["phase"] and p[3] == (m["batch"] if m["phase"] == "batch" else 1))
                    ours[key].append((m["tok_s"], m["fraction_of_limit"]))
                for p in phases:
                    theirs[p].append(peer.measure(*p))
            peer.close()
            for p in phases:
                a, b = statistics.median(t for t, _ in ours[p]), statistics.median(theirs[p])
                reached = statistics.median(f for _, f in ours[p])
                name = {"prefill": f"prefill {prompt}", "batch": f"decode of {p[3]}"}.get(p[0], "decode")
                rows.append([shape, kind, name, f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", f"{100 * reached:.0f} %"])
                print(json.dumps(rows[-1]), file=sys.stderr)
            if kind == "q4_0" and shape == "llama-3.2-1b":
                (t, mb), (t2, mb2) = load_and_memory(file, threads)
                size = file.stat().st_size / 1e6
                loads.append([shape, kind, f"{t:.2f}", f"{t2:.2f}", f"{mb:.0f}", f"{mb2:.0f}", f"{size:.0f}"])
    text = f"{tables.stamp()}; {threads} threads, medians of {turns} turns; llama.cpp of llama-cpp-python {version}.\n\n"
    text += tables.table(["model", "type", "phase", "Motley tok/s", "llama.cpp tok/s", "ratio", "of the limit"], rows)
    if loads:
        text += "\n\n" + tables.table(["model", "type", "start to first token s", "llama.cpp s", "peak MB", "llama.cpp MB", "file MB"], loads)
    tables.publish(f"peers {arguments.isa}" if arguments.isa else "peers", text)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
