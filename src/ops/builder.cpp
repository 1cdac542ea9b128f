#include "ops/builder.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "ir/text.h"
#include "ops/verify.h"

namespace motley {
namespace {

std::string join(std::string_view prefix, std::string_view name) {
  if (prefix.empty() || name.empty()) return std::string(prefix.empty() ? name : prefix);
  return fmt::format("{}.{}", prefix, name);
}

}  // namespace

Builder::Builder(const BuildLimits& limits, WeightTypes weights, std::string checkpoint)
    : limits_(limits), weights_(std::move(weights)), checkpoint_(std::move(checkpoint)) {}
Builder::Builder(Graph graph) : graph_(std::move(graph)) {}

Value Builder::step_input(const std::string& name, const Type& type) {
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    if (graph_.nodes[i].name == name && std::holds_alternative<Input>(graph_.nodes[i].op)) return {static_cast<int32_t>(i), 0};
  return graph_.push({Input{}, {}, {type}, name, -1});
}

Value Builder::step_state(const std::string& name, const Type& type) {
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    if (graph_.nodes[i].name == name && std::holds_alternative<State>(graph_.nodes[i].op)) return {static_cast<int32_t>(i), 0};
  return graph_.push({State{}, {}, {type}, name, block_});
}

void Builder::update(Value successor, std::string state) { graph_.updates.push_back({successor, std::move(state)}); }

Dim Builder::tokens_dim() const { return {limits_.tokens, bound() ? Sym::none : Sym::T}; }
Dim Builder::sequences_dim() const { return {limits_.sequences, bound() ? Sym::none : Sym::S}; }
Value Builder::tokens() { return step_input(token_input("tokens"), {Dtype::i32, {tokens_dim()}}); }
Value Builder::positions() { return step_input(token_input("positions"), {Dtype::i32, {tokens_dim()}}); }
Value Builder::token_types() { return step_input(token_input("token_types"), {Dtype::i32, {tokens_dim()}}); }
Value Builder::seq() { return step_input(token_input("seq"), {Dtype::i32, {tokens_dim()}}); }

std::string Builder::full(std::string_view name) const { return join(prefix_, name); }

bool Builder::has_weight(std::string_view name) const { return weights_ && weights_(full(name)).has_value(); }

Value Builder::weight(std::string_view name, const Shape& shape) {
  std::string whole = full(name);
  check(static_cast<bool>(weights_), "a builder of a model knows its weights' types");
  auto type = weights_(whole);
  if (!type) fail(ErrorKind::file, "model", "{}: tensor '{}' is missing", checkpoint_, whole);
  if (type->shape.empty()) type->shape = fixed(shape);
  if (!shape.empty() && type->shape != fixed(shape))
    fail(ErrorKind::file, "model", "{}: tensor '{}' should have shape {}, found [{}]", checkpoint_, whole, to_string(shape), to_string(type->shape));
  return step_state(whole, *type);
}

Value Builder::constant(const Shape& shape, std::vector<float> values) { return emit(Const{fixed(shape), std::move(values)}, {}); }

std::vector<Value> Builder::emit_all(Op op, std::vector<Value> in) {
  Types types;
  for (Value v : in) types.push_back(type(v));
  Types out = infer_types(op, types);
  size_t results = out.size();
  std::string name = prefix_.empty() ? std::string(op_name(op)) : prefix_;
  Value first = graph_.push({std::move(op), std::move(in), std::move(out), std::move(name), block_});
  std::vector<Value> values;
  for (size_t r = 0; r < results; ++r) values.push_back({first.node, static_cast<int32_t>(r)});
  return values;
}

Value Builder::emit(Op op, std::vector<Value> in) { return emit_all(std::move(op), std::move(in))[0]; }

Value Builder::add(Value x, Value y) { return emit(Add{}, {x, y}); }
Value Builder::sub(Value x, Value y) { return emit(Sub{}, {x, y}); }
Value Builder::mul(Value x, Value y) { return emit(Mul{}, {x, y}); }
Value Builder::div(Value x, Value y) { return emit(Div{}, {x, y}); }
Value Builder::matmul(Value x, Value w, bool transpose_w) { return emit(Matmul{.transpose_w = transpose_w}, {x, w}); }
Value Builder::expert_matmul(Value x, Value w, Value ids) { return emit(ExpertMatmul{}, {x, w, ids}); }
Value Builder::gather(Value table, Value ids) { return emit(Gather{}, {table, ids}); }
Value Builder::act(Activation kind, Value x) { return emit(Act{kind}, {x}); }
Value Builder::glu(Activation kind, Value gate, Value up) { return emit(Glu{kind}, {gate, up}); }
Value Builder::softcap(Value x, float cap) { return emit(Softcap{cap}, {x}); }
Value Builder::softmax(Value x, int axis) { return emit(Softmax{axis}, {x}); }
Value Builder::sum(Value x, int axis) { return emit(Sum{axis}, {x}); }
Value Builder::rms_norm(Value x, Value w, float eps, float offset) { return emit(RmsNorm{eps, offset}, {x, w}); }
Value Builder::layer_norm(Value x, Value w, Value b, float eps) { return emit(LayerNorm{eps}, {x, w, b}); }
Value Builder::reshape(Value x, const Dims& shape) { return emit(Reshape{shape}, {x}); }
Value Builder::slice(Value x, int axis, int64_t begin, int64_t size) { return emit(Slice{axis, begin, size}, {x}); }
Value Builder::transpose(Value x, std::vector<int64_t> perm) { return emit(Transpose{std::move(perm)}, {x}); }
Value Builder::broadcast(Value x, const Dims& shape) { return type(x).shape == shape ? x : emit(Broadcast{shape}, {x}); }

Value Builder::as_f32(Value x) { return type(x).dtype == Dtype::f32 ? x : emit(Cast{Dtype::f32}, {x}); }

std::pair<Value, Value> Builder::top_k(Value x, int64_t k) {
  auto both = emit_all(TopK{k}, {x});
  return {both[0], both[1]};
}

Value Builder::rope(Value x, Value frequencies, RopePairing pairing, int64_t dims, float scale) {
  return emit(Rope{pairing, dims, scale}, {x, positions(), frequencies});
}

Value Builder::split_heads(Value x, int64_t heads) {
  const Type& t = type(x);
  if (heads < 1 || t.rank() != 2 || t.dim(1).n % heads != 0)
    fail(ErrorKind::usage, "split_heads", "cannot split {} into {} heads", to_string(t), heads);
  return reshape(x, {t.dim(0), {heads}, {t.dim(1).n / heads}});
}

Value Builder::merge_heads(Value x) {
  const Type& t = type(x);
  if (t.rank() != 3) fail(ErrorKind::usage, "merge_heads", "takes [T, H, D], got {}", to_string(t));
  return reshape(x, {t.dim(0), {t.dim(1).n * t.dim(2).n}});
}

Value Builder::attend(Value q, Value k, Value v, const AttendOptions& options) {
  if (limits_.mode == BuildMode::serve) return attend_in_cache(q, k, v, options);
  std::vector<Value> in = {q, k, v, positions(), seq()};
  if (options.bias.valid()) in.push_back(options.bias);
  return emit(Attention{options.scale, options.softcap, options.window, options.causal, options.bias.valid()}, in);
}

Value Builder::cache(const char* which, int64_t pages, int64_t heads, int64_t head_dim) {
  return step_state(full(which), {limits_.kv_type, {{pages}, {heads}, {limits_.page_tokens}, {head_dim}}});
}

Value Builder::append_to_cache(const char* which, int64_t pages, Value rows) {
  const Type t = type(rows);
  if (t.rank() != 3) fail(ErrorKind::usage, "attend", "keys and values are [T, H, D], got {}", to_string(t));
  Value slots = step_input("slots", {Dtype::i32, {tokens_dim()}});
  Value after = emit(CacheAppend{}, {cache(which, pages, t.dim(1).n, t.dim(2).n), rows, slots});
  update(after, full(which));
  return after;
}

Value Builder::attend_in_cache(Value q, Value k, Value v, const AttendOptions& options) {
  if (!options.causal) fail(ErrorKind::usage, "attend", "a cache holds the past alone: attention that sees what comes later has none");
  Value tables = step_input("tables", {Dtype::i32, {sequences_dim(), {limits_.blocks}}});
  Value k_cache = append_to_cache("k_cache", limits_.pages, k), v_cache = append_to_cache("v_cache", limits_.pages, v);
  std::vector<Value> in = {q, k_cache, v_cache, positions(), seq(), tables};
  if (options.bias.valid()) in.push_back(options.bias);
  return emit(PagedAttention{options.scale, options.softcap, options.window, options.bias.valid()}, in);
}

Value Builder::source(const std::function<Value()>& encode) {
  if (limits_.mode != BuildMode::learn) return {};
  in_source_ = true;
  Value h = encode();
  in_source_ = false;
  return h;
}

// A source is seen to its last token by all of its sequence's.
Value Builder::attend_source(Value q, int64_t kv_heads, float scale, const std::function<std::pair<Value, Value>()>& keys_and_values) {
  if (limits_.mode == BuildMode::learn) {
    auto [k, v] = keys_and_values();
    Value whose = step_input("source_seq", {Dtype::i32, {tokens_dim()}});
    return emit(Attention{.scale = scale, .causal = false, .memory = true}, {q, k, v, positions(), seq(), whose});
  }
  const int64_t head_dim = type(q).dim(-1).n;
  Value k = cache("k_cache", limits_.source_pages, kv_heads, head_dim), v = cache("v_cache", limits_.source_pages, kv_heads, head_dim);
  Value last = step_input("source_last", {Dtype::i32, {tokens_dim()}});
  Value tables = step_input("source_tables", {Dtype::i32, {sequences_dim(), {limits_.source_blocks}}});
  return emit(PagedAttention{.scale = scale}, {q, k, v, last, seq(), tables});
}

void Builder::keep_source(Value k, Value v) {
  append_to_cache("k_cache", limits_.source_pages, k);
  append_to_cache("v_cache", limits_.source_pages, v);
}

Value Builder::wanted_rows(Value x) {
  if (limits_.mode == BuildMode::learn) return x;
  return gather(x, step_input("rows", {Dtype::i32, {{limits_.rows, bound() ? Sym::none : Sym::R}}}));
}

Value Builder::first_rows(Value x) { return gather(x, step_input("first", {Dtype::i32, {sequences_dim()}})); }
Value Builder::last_rows(Value x) { return gather(x, step_input("last", {Dtype::i32, {sequences_dim()}})); }

// A query that likes every key alike gets the mean of the values; every token gets it, and one of each sequence keeps it.
Value Builder::mean_rows(Value x) {
  const Type t = type(x);
  if (t.rank() != 2) fail(ErrorKind::usage, "mean_rows", "takes [T, E], got {}", to_string(t));
  // As many heads as keep one's values small: what a worker holds of them has a limit.
  constexpr int64_t kHead = 64;
  const int64_t heads = t.dim(1).n % kHead == 0 ? t.dim(1).n / kHead : 1;
  Value alike = emit(Const{{t.dim(0), {heads}, {1}}, {0}}, {});
  Value values = split_heads(x, heads), own = seq();
  Value mean = emit(Attention{.causal = false}, {alike, alike, values, positions(), own});
  return first_rows(merge_heads(mean));
}

Value Builder::grid(Value x) {
  const Type t = type(x);
  const Dim sequences = sequences_dim();
  if (t.rank() < 1 || t.dim(0).sym != Sym::none || sequences.sym != Sym::none || sequences.n < 1 || t.dim(0).n % sequences.n != 0)
    fail(ErrorKind::usage, "grid", "{} does not part into {} sequences of one size, which has to be bound", to_string(t), to_string(sequences));
  Dims shape = {sequences, {t.dim(0).n / sequences.n}};
  shape.insert(shape.end(), t.shape.begin() + 1, t.shape.end());
  return reshape(x, shape);
}

Value Builder::lengths() { return step_input("lengths", {Dtype::i32, {sequences_dim()}}); }

Value Builder::grid_mask() {
  Value own = emit(Cast{Dtype::f32}, {seq()});
  Value mask = emit(Less{}, {scalar(-0.5f), own});
  return grid(reshape(mask, {tokens_dim(), {1}}));
}

void Builder::bind_sequences(int64_t count) { limits_.sequences = count; }

Value Builder::batch_norm(Value x, float eps, float momentum) {
  const Shape channels = {type(x).dim(-1).n};
  Value w = as_f32(weight("weight", channels)), shift = as_f32(weight("bias", channels));
  Value mean = weight("running_mean", channels), variance = weight("running_var", channels);
  if (limits_.mode != BuildMode::learn || !limits_.training) return emit(BatchNormFixed{eps}, {x, w, shift, as_f32(mean), as_f32(variance)});
  auto results = emit_all(BatchNorm{eps}, {x, w, shift});
  auto follow = [&](Value running, Value batch, const char* name) {
    Value kept = mul(running, scalar(1 - momentum)), added = mul(batch, scalar(momentum));
    update(emit(Assign{}, {running, add(kept, added)}), full(name));
  };
  follow(mean, results[1], "running_mean");
  follow(variance, results[2], "running_var");
  return results[0];
}

Value Builder::dropout(Value x, float rate) {
  if (limits_.mode != BuildMode::learn || !limits_.training || rate == 0) return x;
  return emit(Dropout{rate, num_dropouts_++}, {x, step_input("dropout_key", {Dtype::i32, {{4}}})});
}

void Builder::output(Value v, std::string name) { graph_.outputs.push_back({v, std::move(name)}); }

Value Builder::take_output(std::string_view name) {
  auto at = std::ranges::find(graph_.outputs, name, &Output::name);
  check(at != graph_.outputs.end(), "an output that is taken was made before");
  Value v = at->value;
  graph_.outputs.erase(at);
  return v;
}

Builder::Scope::Scope(Builder& builder, std::string prefix, int block) : builder_(builder), old_prefix_(builder.prefix_), old_block_(builder.block_) {
  builder_.prefix_ = std::move(prefix);
  builder_.block_ = block;
}

Builder::Scope::~Scope() {
  builder_.prefix_ = std::move(old_prefix_);
  builder_.block_ = old_block_;
}

Builder::Scope Builder::block(int number, std::string_view prefix) { return Scope(*this, std::string(prefix), number); }
Builder::Scope Builder::scope(std::string_view prefix) { return Scope(*this, join(prefix_, prefix), block_); }

void Builder::set_origin(std::string name, int block) {
  prefix_ = std::move(name);
  block_ = block;
}

Graph Builder::take() {
  verify(graph_);
  return std::move(graph_);
}

}  // namespace motley
