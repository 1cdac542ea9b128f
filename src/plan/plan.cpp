#include "plan/plan.h"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

double gib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

void fill_pages(Plan& plan) { plan.pages = plan.blocks() * plan.sequences; }

struct Range {
  int64_t low, high;
};

int64_t integer(const YAML::Node& value, std::string_view key, std::string_view what, Range range) {
  auto n = parse_int(value.IsScalar() ? value.Scalar() : std::string());
  if (!n || *n < range.low || *n > range.high)
    fail(ErrorKind::usage, "plan", "{} line {}: '{}' should be a whole number from {} to {}", what, value.Mark().line + 1, key, range.low,
         range.high);
  return *n;
}

}  // namespace

int64_t kv_bytes(const ModelDemand& demand, const Plan& plan) {
  // Rows of block formats are whole blocks, so the bytes per element are exact.
  return plan.pages * plan.page_tokens * demand.kv_row_elements / info(plan.kv_type).block * info(plan.kv_type).block_bytes;
}

int64_t memory_bytes(const ModelDemand& demand, const Plan& plan) {
  int64_t step = plan.batch_tokens * demand.hidden * 4 * 16 + plan.rows * demand.vocab * 4 * 2;
  return demand.weight_bytes + demand.largest_weight_bytes + kv_bytes(demand, plan) + step;
}

Plan make_plan(const ModelDemand& demand, const Target& target, const PlanWishes& wishes) {
  Plan plan;
  plan.device = target.name;
  plan.threads = target.threads;
  plan.sequences = wishes.sequences.value_or(1);
  plan.kv_type = wishes.kv_type.value_or(Dtype::f16);
  plan.context = std::clamp<int64_t>(wishes.context.value_or(demand.max_positions), 1, std::max<int64_t>(1, demand.max_positions));
  plan.batch_tokens = wishes.batch_tokens.value_or(std::min<int64_t>(512, plan.context * plan.sequences));
  plan.rows = wishes.rows.value_or(plan.sequences);
  fill_pages(plan);
  if (wishes.context && *wishes.context > demand.max_positions)
    fail(ErrorKind::usage, "plan", "a context of {} was asked for, the model was made for at most {}", *wishes.context, demand.max_positions);
  int64_t room = target.memory_bytes - wishes.reserve_bytes;
  if (!wishes.context) {
    while (plan.context > 256 && memory_bytes(demand, plan) > room) {
      plan.context /= 2;
      fill_pages(plan);
    }
  }
  if (int64_t needed = memory_bytes(demand, plan); needed > room) {
    Plan smallest = plan;
    smallest.context = 1, fill_pages(smallest);
    std::string advice = memory_bytes(demand, smallest) <= room ? "a smaller --ctx-size, --kv-type q8_0, or fewer sequences"
                                                                : "weights in a smaller format (motley quantize)";
    fail(ErrorKind::no_fit, "plan", "{} needs {:.2f} GiB (weights {:.2f}, KV {:.2f}) and {:.2f} of {:.2f} GiB may be used; what would fit: {}\n{}",
         target.name, gib(needed), gib(demand.weight_bytes), gib(kv_bytes(demand, plan)), gib(room), gib(target.memory_bytes), advice, print(plan));
  }
  return plan;
}

std::string print(const Plan& p) {
  return fmt::format("device: {}\nthreads: {}\ncontext: {}\nsequences: {}\nbatch_tokens: {}\nrows: {}\npage_tokens: {}\npages: {}\nkv_type: {}\n",
                     p.device, p.threads, p.context, p.sequences, p.batch_tokens, p.rows, p.page_tokens, p.pages, name(p.kv_type));
}

Plan parse_plan(std::string_view text, std::string_view what) {
  if (text.size() > (1 << 20)) fail(ErrorKind::usage, "plan", "{} has {} bytes; a plan has a few hundred", what, text.size());
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& e) {
    fail(ErrorKind::usage, "plan", "{} line {}: {}", what, e.mark.line + 1, e.msg);
  }
  if (!root.IsMap()) fail(ErrorKind::usage, "plan", "{} should be a list of 'key: value' lines", what);
  Plan plan;
  constexpr std::string_view kKeys[] = {"device", "threads", "context", "sequences", "batch_tokens", "rows", "page_tokens", "pages", "kv_type"};
  bool pages_given = false;
  for (const auto& entry : root) {
    std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const YAML::Node& value = entry.second;
    auto number = [&](int64_t high) { return integer(value, key, what, {1, high}); };
    if (key == "device") {
      if (!value.IsScalar()) fail(ErrorKind::usage, "plan", "{} line {}: 'device' should be a name such as cpu:0", what, value.Mark().line + 1);
      plan.device = value.Scalar();
    } else if (key == "threads") {
      plan.threads = static_cast<int>(number(4096));
    } else if (key == "context") {
      plan.context = number(int64_t{1} << 32);
    } else if (key == "sequences") {
      plan.sequences = number(65536);
    } else if (key == "batch_tokens") {
      plan.batch_tokens = number(1 << 20);
    } else if (key == "rows") {
      plan.rows = number(1 << 20);
    } else if (key == "page_tokens") {
      plan.page_tokens = number(4096);
    } else if (key == "pages") {
      plan.pages = number(int64_t{1} << 32), pages_given = true;
    } else if (key == "kv_type") {
      auto type = parse_dtype(value.IsScalar() ? value.Scalar() : "");
      bool known = type && (*type == Dtype::f32 || *type == Dtype::f16 || *type == Dtype::bf16 || *type == Dtype::q8_0);
      if (!known) fail(ErrorKind::usage, "plan", "{} line {}: 'kv_type' should be f32, f16, bf16 or q8_0", what, value.Mark().line + 1);
      plan.kv_type = *type;
    } else {
      auto meant = nearest(key, kKeys);
      fail(ErrorKind::usage, "plan", "{} line {}: unknown key '{}'{}", what, entry.first.Mark().line + 1, key,
           meant ? fmt::format(", did you mean '{}'?", *meant) : "");
    }
  }
  if (plan.context == 0) fail(ErrorKind::usage, "plan", "{}: 'context' is missing", what);
  if (!pages_given) fill_pages(plan);
  return plan;
}

}  // namespace motley
