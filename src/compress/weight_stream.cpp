#include "compress/weight_stream.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"

namespace motley {
namespace {

// Packed bytes can change places by whole rows; anything else is done to floats.
bool needs_floats(const TensorPlan& plan) { return plan.how == Rearrangement::transpose || plan.dtype == Dtype::f32; }

}  // namespace

WeightStream::WeightStream(const Checkpoint& checkpoint, const ModelConfig& config, const WriteOptions& options)
    : checkpoint_(checkpoint), options_(options), weights_(config, checkpoint), pool_({.threads = options.threads}) {
  for (const CheckpointTensor& t : checkpoint.tensors()) total_ += static_cast<int64_t>(t.size_bytes);
}

const Tensor& WeightStream::state(const std::string& name) {
  if (name == state_name_) return state_;
  if (!state_name_.empty()) weights_.drop(state_name_);
  auto found = weights_.find(name);
  if (!found) fail(ErrorKind::file, "convert", "{}: no tensor for '{}'", checkpoint_.path(), name);
  state_ = Tensor();  // before the next one is there too
  state_ = Tensor::zeros(found->type.dtype, bind(found->type.shape, {}));
  weights_.read(name, {state_.mutable_bytes(), state_.size_bytes()});
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
  const Dtype stored = source.dtype();
  if (is_quantised(stored) && is_quantised(t.type) && stored != t.type) requantised_ = true;
  Loss none, loss;
  if (is_quantised(stored) && needs_floats(t.plan)) source = repack(source, Dtype::f32, pool_, none);
  Tensor written = repack(rearrange(t.plan, source), t.type, pool_, loss);
  count(t.type, written, loss);
  if (first) advance(state_.size_bytes());
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
