"""Cuts a sample of TinyStories in two: what is learned, and the last twentieth, which is not. Stories that the cut goes through are in neither.

    python3 models/stories/split.py tinystories_sample_2MiB.txt learned.txt held.txt
"""

import hashlib
import sys
from pathlib import Path

SHA256 = "5352b299dcb1a32898b2d779b145b5a05f3e1265953fd21c264c9f9f9c9ae33d"
END = "<|endoftext|>\n"


def split(sample):
    """The stories learned, and those kept back, as two texts."""
    whole = Path(sample).read_bytes()
    found = hashlib.sha256(whole).hexdigest()
    if found != SHA256:
        sys.exit(f"{sample} has the SHA-256 {found}, expected {SHA256}: this is another text than the one the model learned from")
    cut = len(whole) * 19 // 20
    learned, held = whole[:cut].decode(errors="ignore"), whole[cut:].decode(errors="ignore")
    return learned[: learned.rindex(END) + len(END)], held[held.index(END) + len(END) : held.rindex(END) + len(END)]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    for path, text in zip(sys.argv[2:], split(sys.argv[1])):
        Path(path).write_text(text)


if __name__ == "__main__":
    main()
