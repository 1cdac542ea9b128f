#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "nn/convert.h"
#include "nn/families.h"
#include "nn/names.h"
#include "nn/rope.h"
#include "nn/shapes.h"
#include "tensor/half.h"

namespace motley {
namespace {

// How the state differs between the forms, said in the direction from Hugging Face to GGUF.
Rearrangement towards_gguf(const Family& family, const NamedType& state) {
  const std::string& name = state.name;
  const auto contains = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  switch (family.difference) {
    case FormatDifference::none:
      return Rearrangement::none;
    case FormatDifference::rotary_rows:
      return contains(".self_attn.q_proj.") || contains(".self_attn.k_proj.") ? Rearrangement::interleave : Rearrangement::none;
    case FormatDifference::norm_plus_one:
      return name.ends_with("norm.weight") ? Rearrangement::add_one : Rearrangement::none;
    case FormatDifference::transposed:
      return name.starts_with("transformer.h.") && state.type.rank() == 2 ? Rearrangement::transpose : Rearrangement::none;
    case FormatDifference::qkv_by_head:
      return contains(".query_key_value.") ? Rearrangement::by_part : Rearrangement::none;
  }
  return Rearrangement::none;
}

Rearrangement inverse(Rearrangement how) {
  switch (how) {
    case Rearrangement::none:
      return Rearrangement::none;
    case Rearrangement::interleave:
      return Rearrangement::halve;
    case Rearrangement::halve:
      return Rearrangement::interleave;
    case Rearrangement::add_one:
      return Rearrangement::subtract_one;
    case Rearrangement::subtract_one:
      return Rearrangement::add_one;
    case Rearrangement::transpose:
      return Rearrangement::transpose;
    case Rearrangement::by_part:
      return Rearrangement::by_head;
    case Rearrangement::by_head:
      return Rearrangement::by_part;
  }
  return how;
}

bool gguf_wants_f32(const std::string& name, size_t rank) {
  return rank == 1 || name.ends_with("_norm.weight") || name.ends_with(".ffn_gate_inp.weight") || name == "position_embd.weight";
}

float to_float(const Tensor& t, int64_t i) {
  const auto at = static_cast<size_t>(i);
  switch (t.dtype()) {
    case Dtype::f32:
      return t.data<float>()[at];
    case Dtype::f16:
      return f16_to_float(t.data<uint16_t>()[at]);
    case Dtype::bf16:
      return bf16_to_float(t.data<uint16_t>()[at]);
    default:
      fail(ErrorKind::file, "convert", "a vector is stored as {}, expected F32, F16 or BF16", name(t.dtype()));
  }
}

Tensor as_f32(const Tensor& t, float plus) {
  Tensor out = Tensor::zeros(Dtype::f32, t.shape());
  for (int64_t i = 0; i < t.size(); ++i) out.mutable_data<float>()[static_cast<size_t>(i)] = to_float(t, i) + plus;
  return out;
}

// The row of the old tensor that becomes row `to` of the new one.
int64_t source_row(Rearrangement how, int64_t to, int64_t rows, int64_t heads) {
  const int64_t size = rows / heads, head = to / size, i = to % size;
  switch (how) {
    case Rearrangement::interleave:
      return head * size + (i % 2) * (size / 2) + i / 2;
    case Rearrangement::halve:
      return head * size + (i % (size / 2)) * 2 + i / (size / 2);
    case Rearrangement::by_part: {
      const int64_t per_part = rows / 3, d = size / 3, part = to / per_part, of_part = to % per_part;
      return of_part / d * size + part * d + of_part % d;
    }
    case Rearrangement::by_head: {
      const int64_t d = size / 3;
      return i / d * (rows / 3) + head * d + i % d;
    }
    default:
      return to;
  }
}

Tensor permute_rows(const Tensor& t, Rearrangement how, int64_t heads) {
  const int64_t rows = t.dim(0);
  const size_t row = t.size_bytes() / static_cast<size_t>(rows);
  Tensor out = Tensor::zeros(t.dtype(), t.shape());
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(out.mutable_bytes() + static_cast<size_t>(r) * row, t.bytes() + static_cast<size_t>(source_row(how, r, rows, heads)) * row, row);
  return out;
}

Tensor transpose(const Tensor& t) {
  const auto rows = static_cast<size_t>(t.dim(0)), columns = static_cast<size_t>(t.dim(1));
  if (is_quantised(t.dtype()))
    fail(ErrorKind::usage, "convert", "a matrix stored as {} cannot be turned on its side without loss: convert from an unquantised model",
         name(t.dtype()));
  const auto element = static_cast<size_t>(info(t.dtype()).block_bytes);
  Tensor out = Tensor::zeros(t.dtype(), {t.dim(1), t.dim(0)});
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c)
      std::memcpy(out.mutable_bytes() + (c * rows + r) * element, t.bytes() + (r * columns + c) * element, element);
  return out;
}

}  // namespace

std::vector<TensorPlan> plan_tensors(const ModelConfig& config, const WeightTypes& types, const std::string& checkpoint, CheckpointFormat to) {
  const Family& family = family_of(config);
  std::vector<TensorPlan> plans;
  for (const NamedType& state : model_weights(config, types, checkpoint)) {
    TensorPlan plan{state.name, state.type.dtype, bind(state.type.shape, {}), state.name};
    const bool changes_form = config.format != to;
    if (changes_form) plan.how = towards_gguf(family, state);
    if (changes_form && to == CheckpointFormat::hf) plan.how = inverse(plan.how);
    const bool keys = state.name.find(".k_proj.") != std::string::npos;
    plan.heads = keys ? config.kv_heads : config.heads;
    if (plan.how == Rearrangement::transpose) std::swap(plan.shape[0], plan.shape[1]);
    if (plan.how == Rearrangement::add_one || plan.how == Rearrangement::subtract_one) plan.dtype = Dtype::f32;

    if (to == CheckpointFormat::gguf) {
      auto name = gguf_name(family, state.name);
      check(name.has_value(), "every state of a family has a GGUF name");
      plan.name = *name;
      plan.keep_f32 = gguf_wants_f32(plan.name, plan.shape.size());
      if (plan.keep_f32) plan.dtype = Dtype::f32;
      plans.push_back(std::move(plan));
    } else if (auto experts = expert_state(state.name)) {
      plan.shape.erase(plan.shape.begin());
      for (int64_t e = 0; e < config.experts; ++e) {
        plan.expert = e;
        plan.name = fmt::format("{}{}{}", experts->before, e, experts->after);
        plans.push_back(plan);
      }
    } else {
      plans.push_back(std::move(plan));
    }
  }
  return plans;
}

Tensor rearrange(const TensorPlan& plan, const Tensor& state) {
  Tensor t = state;
  if (plan.expert >= 0) {
    const size_t size = state.size_bytes() / static_cast<size_t>(state.dim(0));
    t = Tensor::borrow(state.dtype(), {state.dim(1), state.dim(2)}, state.bytes() + static_cast<size_t>(plan.expert) * size,
                       std::make_shared<Tensor>(state));
  }
  switch (plan.how) {
    case Rearrangement::none:
      break;
    case Rearrangement::add_one:
      return as_f32(t, 1);
    case Rearrangement::subtract_one:
      return as_f32(t, -1);
    case Rearrangement::transpose:
      t = transpose(t);
      break;
    default:
      t = permute_rows(t, plan.how, plan.heads);
  }
  return plan.dtype == Dtype::f32 && t.dtype() != Dtype::f32 ? as_f32(t, 0) : t;
}

Tensor arrange_rows(const ModelConfig& config, const std::string& state, const Tensor& rows, CheckpointFormat from, CheckpointFormat to) {
  if (from == to) return rows;
  Rearrangement how = towards_gguf(family_of(config), {state, {rows.dtype(), fixed(rows.shape())}});
  if (to == CheckpointFormat::hf) how = inverse(how);
  const bool moves =
      how == Rearrangement::interleave || how == Rearrangement::halve || how == Rearrangement::by_part || how == Rearrangement::by_head;
  const int64_t heads = state.find(".k_proj.") != std::string::npos ? config.kv_heads : config.heads;
  return moves ? permute_rows(rows, how, heads) : rows;
}

std::vector<MadeTensor> gguf_rope_tensors(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  auto tensor = [](const std::vector<double>& values) { return Tensor::of({static_cast<int64_t>(values.size())}, {values.begin(), values.end()}); };
  if (rope.scaling == RopeScaling::longrope)
    return {{"rope_factors_short.weight", tensor(rope.divisors)}, {"rope_factors_long.weight", tensor(rope.long_divisors)}};
  if (rope.scaling == RopeScaling::divisors) return {{"rope_freqs.weight", tensor(rope.divisors)}};
  if (rope.scaling != RopeScaling::llama3) return {};
  RopeConfig plain = rope;
  plain.scaling = RopeScaling::none;
  auto divisors = rope_frequencies(plain, config.built_context());
  const auto scaled = rope_frequencies(rope, config.built_context());
  for (size_t i = 0; i < divisors.size(); ++i) divisors[i] /= scaled[i];
  return {{"rope_freqs.weight", tensor(divisors)}};
}

}  // namespace motley
