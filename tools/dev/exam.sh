# ./dev exam [ARGUMENTS]: the long form of the op exam, which compares every (op, type, shape, backend) with the reference.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build test
build test
exec build/test/tests/ops/op_exam "$@"
