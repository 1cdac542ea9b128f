# ./dev bench [NAME]: the programs of bench/, or those whose path below bench/ contains NAME; each prints one JSON line per measurement.
# ./dev bench adapters | cpu | peers [--write] [--quick]: tools/bench/NAME.py, a table of what `motley bench` reaches, alone or beside another program.
# ./dev bench stories [--write]: what the model that the program carries is worth, beside another of its kind.
# ./dev bench sst2 [--only NAME,...] [--write]: what training a sentiment classifier in several ways reaches.
# ./dev bench train [--write] [--quick]: steps of training beside PyTorch's, Debian's and the current one of PyPI, which is some 3 GB. Where a Python
# has that already, name it in MOTLEY_TORCH.
# ./dev bench peers --isa avx2: both without AVX-512; the other program is compiled so, which takes a while the first time.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if [ -e "tools/bench/${1:-}.py" ]; then
  need build tools
  build release
  python=/usr/bin/python3
  if [ "$1" = peers ]; then
    venv=build/venv
    if [[ " ${*:2} " == *" --isa avx2 "* ]]; then
      venv=build/venv-avx2
      # Without pip's cache, or this build would be handed out where one for the whole processor is wanted, and the other way round.
      export PIP_NO_CACHE_DIR=1 PIP_NO_BINARY=llama-cpp-python CMAKE_BUILD_PARALLEL_LEVEL=$(jobs)
      export CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_AVX512=OFF -DLLAVA_BUILD=OFF"
    fi
    virtual_environment tools/bench/requirements.txt "$venv"
    python=$venv/bin/python
  fi
  if [ "$1" = train ]; then
    need bench
    if [ -z "${MOTLEY_TORCH:-}" ]; then
      virtual_environment tools/bench/train_requirements.txt
      export MOTLEY_TORCH=build/venv/bin/python
    fi
  fi
  PYTHONPATH=tools MOTLEY=$root/build/release/motley exec "$python" "tools/bench/$1.py" "${@:2}"
fi
need build
build bench
ran=0
while read -r program; do
  case "${program#build/bench/bench/}" in
    *"${1:-}"*)
      say "${program#build/bench/}"
      "$program"
      ran=$((ran + 1))
      ;;
  esac
done < <(find build/bench/bench -type f -perm -u+x -not -path '*/CMakeFiles/*' | sort)
[ "$ran" -gt 0 ] || die "no benchmark is named like '${1:-}'; there are: $(cd build/bench/bench && find . -type f -perm -u+x -not -path '*/CMakeFiles/*' | sed 's|^\./||' | sort | paste -sd' ')"
