# check_std_headers.sh: a file that calls the standard algorithms includes <algorithm> or <numeric> itself (or in its own header). With
# GCC 12 they often arrive by way of another header; GCC 14 (Debian 13) stopped that, and the build stops with it.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
algorithm='adjacent_find|all_of|any_of|binary_search|clamp|copy|copy_backward|copy_if|copy_n|count|count_if|equal|equal_range|fill|fill_n|find|find_end|find_first_of|find_if|find_if_not|for_each|generate|includes|is_permutation|is_sorted|lexicographical_compare|lower_bound|max|max_element|merge|min|min_element|minmax|minmax_element|mismatch|move_backward|next_permutation|none_of|nth_element|partial_sort|partition|partition_point|pop_heap|push_heap|make_heap|remove_copy|remove_if|replace|replace_if|reverse|rotate|search|set_difference|set_intersection|set_union|shuffle|sort|sort_heap|stable_partition|stable_sort|swap_ranges|transform|unique|upper_bound'
numeric='accumulate|exclusive_scan|gcd|inclusive_scan|inner_product|iota|lcm|midpoint|partial_sum|reduce'

# without HEADER NAMES: files that call std::NAME( or std::ranges::NAME( and have no #include <HEADER>.
without() {
  local file own
  grep -rlE --include='*.cpp' --include='*.h' "std::(ranges::)?($2)\(" src include tests bench | while read -r file; do
    own=${file%.cpp}.h
    [ -f "$own" ] || own=$file
    grep -q "#include <$1>" "$file" "$own" || echo "$file: calls $(grep -oE "std::(ranges::)?($2)\(" "$file" | head -n 1)...) without #include <$1>"
  done
}
found=$(without algorithm "$algorithm"; without numeric "$numeric")
[ -z "$found" ] || { echo "$found"; exit 1; }
echo "every call of a standard algorithm has its header"
