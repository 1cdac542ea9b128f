// Forward values that the backward part needs are computed again there instead of being kept from the forward part to the backward part. Chen et al.
// 2016 (full), Korthikanti et al. 2022 (selective). The same ops run again on the same values, dropout's masks with the same counters, so the
// gradients have the same bits; what changes is how much must be remembered, and time.
//
//   Graph learning = autodiff(graph, {});
//   RecomputeChoice choice = choose_recompute(learning, target, budget);          // arena bytes of each mode, and the first that fits
//   Graph step = add_updates(recompute(learning, choice.mode), {});
//
// The unit is the block: what one block gives to another is kept. Nothing outside the blocks (embedding, head, loss) is computed again.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ir/graph.h"
#include "target/target.h"

namespace motley {

enum class Recompute : uint8_t {
  none,
  selective,  // what costs little beside its bytes: norms, activations, gates, moves; products and attention are kept
  full,       // everything inside a block
};

Graph recompute(const Graph& learning, Recompute mode);

// Nodes made by recompute() have names that end so; simplify does not take them for the ones they repeat.
inline constexpr std::string_view kAgain = ".again";
bool is_repeated(const Node& node);

struct RecomputeChoice {
  Recompute mode = Recompute::none;
  std::array<int64_t, 3> arena_bytes = {};  // by mode, of the compiled graph
  bool fits = false;                        // false: not even full does
};

// The mode that needs the least time among those whose arena is at most `budget_bytes`.
RecomputeChoice choose_recompute(const Graph& learning, const Target& target, int64_t budget_bytes);

// Bytes of values that one step of the graph has at the same time on the device, states not counted.
int64_t arena_bytes(const Graph& graph, const Target& target);

std::string_view to_string(Recompute mode);
std::optional<Recompute> parse_recompute(std::string_view name);

}  // namespace motley
