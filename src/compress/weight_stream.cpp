#include "compress/weight_stream.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

// Whether a state of an adapter goes into a state of the model.
bool touches(std::string_view of_adapter, std::string_view of_model) {
  if (!is_adapter_state(of_adapter)) return of_adapter == of_model;
  of_adapter.remove_prefix(kPeftPrefix.size());
  const std::string_view module = of_model.substr(0, of_model.rfind('.') + 1);
  if (!of_adapter.starts_with(module)) return false;
  of_adapter.remove_prefix(module.size());
  return of_adapter.starts_with("lora_") || of_adapter == "ia3_l";
}

// Packed bytes can change places by whole rows; anything else is done to floats.
bool needs_floats(const TensorPlan& plan) { return plan.how == Rearrangement::transpose || plan.dtype == Dtype::f32; }

}  // namespace

WeightStream::WeightStream(const Checkpoint& checkpoint, const ModelConfig& config, const WriteOptions& options)
    : checkpoint_(checkpoint), config_(config), options_(options), weights_(config, checkpoint), pool_({.threads = options.threads}) {
  if (options.adapter) motley::expect_mergeable(options.adapter->adapter.method, options.adapter->path);
  for (const CheckpointTensor& t : checkpoint.tensors()) total_ += static_cast<int64_t>(t.size_bytes);
}

void WeightStream::expect_mergeable(std::span<const PlannedTensor> tensors) const {
  if (!options_.adapter) return;
  for (const PlannedTensor& t : tensors) {
    if (!merges(*options_.adapter, t.plan.state)) continue;
    auto found = weights_.find(t.plan.state);
    if (found && is_quantised(found->type.dtype) && !options_.recipe && is_quantised(t.type))
      fail(ErrorKind::usage, "merge",
           "{}: '{}' is {}, whose values are fixed steps: what the adapter adds would be rounded away. Merge into the original model, or say which "
           "type the result is to have (-t f16)",
           checkpoint_.path(), t.plan.state, motley::name(found->type.dtype));
  }
  for (const auto& entry : options_.adapter->states)
    if (std::ranges::none_of(tensors, [&](const PlannedTensor& t) { return touches(entry.first, t.plan.state); }))
      fail(ErrorKind::file, "merge", "{}: {} has no place for tensor '{}'; was the adapter made for another model?", options_.adapter->path,
           checkpoint_.path(), printable(entry.first));
}

const Tensor& WeightStream::state(const std::string& name) {
  if (name == state_name_) return state_;
  if (!state_name_.empty()) weights_.drop(state_name_);
  auto found = weights_.find(name);
  if (!found) fail(ErrorKind::file, "convert", "{}: no tensor for '{}'", checkpoint_.path(), name);
  state_ = Tensor();  // before the next one is there too
  state_ = Tensor::zeros(found->type.dtype, bind(found->type.shape, {}));
  weights_.read(name, {state_.mutable_bytes(), state_.size_bytes()});
  state_bytes_ = state_.size_bytes();
  stored_ = state_.dtype();
  if (options_.adapter && merges(*options_.adapter, name)) state_ = merged_weight(*options_.adapter, config_, name, state_);
  state_name_ = name;
  return state_;
}

void WeightStream::advance(size_t bytes) {
  done_ += static_cast<int64_t>(bytes);
  if (options_.progress) options_.progress(done_, total_);
}

Tensor WeightStream::next(const PlannedTensor& t) {
  const bool first = t.plan.state != state_name_;
  Tensor source = state(t.plan.state);
  const bool merged = options_.adapter && merges(*options_.adapter, t.plan.state);
  if (is_quantised(stored_) && is_quantised(t.type) && (merged || stored_ != t.type)) requantised_ = true;
  Loss none, loss;
  if (is_quantised(source.dtype()) && needs_floats(t.plan)) source = repack(source, Dtype::f32, pool_, none);
  Tensor written = repack(rearrange(t.plan, source), t.type, pool_, loss);
  count(t.type, written, loss);
  if (first) advance(state_bytes_);
  return written;
}

Tensor WeightStream::copy(const CheckpointTensor& t) {
  if (!t.dtype) fail(ErrorKind::file, "convert", "{}: tensor '{}' is stored as {}, which cannot be copied", checkpoint_.path(), t.name, t.type_name);
  Tensor tensor = Tensor::zeros(*t.dtype, t.shape);
  checkpoint_.read(t.name, {tensor.mutable_bytes(), tensor.size_bytes()});
  checkpoint_.drop(t.name);
  Loss loss;
  loss.elements = tensor.size();
  count(*t.dtype, tensor, loss);
  advance(tensor.size_bytes());
  return tensor;
}

void WeightStream::count(Dtype type, const Tensor& written, const Loss& loss) {
  auto it = std::ranges::find(types_, type, &TypeReport::type);
  if (it == types_.end()) it = types_.insert(it, TypeReport{type, 0, 0, 0, {}});
  ++it->tensors;
  it->elements += written.size();
  it->bytes += static_cast<int64_t>(written.size_bytes());
  it->loss.add(loss);
}

WriteReport WeightStream::report() const {
  WriteReport r;
  r.source_bytes = static_cast<int64_t>(checkpoint_.weight_bytes());
  r.types = types_;
  std::ranges::stable_sort(r.types, std::ranges::greater{}, &TypeReport::bytes);
  int64_t not_finite = 0, overflowed = 0;
  for (const TypeReport& t : types_) {
    r.bytes += t.bytes;
    r.elements += t.elements;
    not_finite += t.loss.not_finite;
    overflowed += t.loss.overflowed;
  }
  if (requantised_)
    r.warnings.emplace_back("the weights were quantised before, so the errors of both times add up; begin with the original model where you can");
  if (not_finite > 0)
    r.warnings.push_back(fmt::format("{} weights were NaN or infinite; block types store NaN as 0 and infinity as 65504", not_finite));
  if (overflowed > 0)
    r.warnings.push_back(fmt::format("{} weights are beyond what F16 can hold and became infinite; BF16 or F32 hold them", overflowed));
  return r;
}

void check_room(const std::string& path, uint64_t bytes) {
  std::error_code error;
  auto parent = std::filesystem::path(path).parent_path();
  auto space = std::filesystem::space(parent.empty() ? "." : parent, error);
  if (!error && space.available < bytes)
    fail(ErrorKind::runtime, "write", "{} will have {:.2f} GB and its disk has {:.2f} GB left", path, static_cast<double>(bytes) * 1e-9,
         static_cast<double>(space.available) * 1e-9);
}

}  // namespace motley
