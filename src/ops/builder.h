// The Builder grows a Graph node by node; shapes are checked at the line that adds the node. Model code (nn/) is written with it.
//
//   Builder b(limits, weight_types);
//   auto scope = b.block(3, "model.layers.3");
//   Value x = b.add(h, b.matmul(b.rms_norm(h, b.weight("input_layernorm.weight", {64}), 1e-5f), w));
//
// The Builder decides by its mode what attend(), wanted_rows() and dropout() become; no model file asks.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "ops/def.h"

namespace motley {

enum class BuildMode : uint8_t {
  serve,  // cache append and paged attention; the rows asked for; sizes named
  embed,  // attention over the packed batch; the rows asked for; no cache; sizes named, unless they are wanted bound
  learn,  // attention over the packed batch; every row; dropout exists; every size bound
};

// Ceilings of the named sizes and the shape of the KV pools.
struct BuildLimits {
  BuildMode mode = BuildMode::serve;
  int64_t tokens = 512, sequences = 16, rows = 16;
  bool bound = false;                           // embed: the sizes are exactly these
  bool training = true;                         // learn; false to evaluate what learns: running statistics, and nothing is dropped
  int64_t pages = 64, page_tokens = 32;         // per KV pool
  int64_t blocks = 64;                          // entries of a sequence's block table: ceil(context / page_tokens)
  int64_t source_pages = 0, source_blocks = 0;  // the same of what an encoder has read
  Dtype kv_type = Dtype::f32;
};

// The storage type of a weight by name, nothing when the checkpoint lacks it. A type without a shape takes the one that the model asks
// for, which is how a model is built before, or without, a checkpoint.
using WeightTypes = std::function<std::optional<Type>(const std::string& name)>;

struct AttendOptions {
  float scale = 1, softcap = 0;
  int64_t window = 0;
  bool causal = true;
  Value bias = {};  // f32 [H, 2N + 1], by distance (ir/op.h); none where it is not valid
};

class Builder {
 public:
  explicit Builder(const BuildLimits& limits, WeightTypes weights = {}, std::string checkpoint = "the checkpoint");  // its path, for messages
  explicit Builder(Graph graph);  // to go on with a graph (expansions, rewrites)

  // ---- inputs of a step (each is made when first asked for)
  Value tokens();       // i32 [T]
  Value positions();    // i32 [T]
  Value token_types();  // i32 [T]: of the segments of a text, 0 and 1
  Value seq();          // i32 [T]: neighbours with the same number are one sequence; below zero: padding

  Value step_input(const std::string& name, const Type& type);  // any other, outside the layers

  // ---- states
  // A weight of the checkpoint. The full name is the scope's prefix and `name` joined by a dot; Error(file) naming it when the checkpoint
  // lacks it or its shape is not `shape` (empty: any shape).
  Value weight(std::string_view name, const Shape& shape = {});
  bool has_weight(std::string_view name) const;
  Value step_state(const std::string& name, const Type& type);  // one that is not in the checkpoint, by its full name; made when first asked for
  void update(Value successor, std::string state);              // the last successor of that state
  Value constant(const Shape& shape, std::vector<float> values);
  Value scalar(float value) { return constant({1}, {value}); }

  // ---- basic and composite ops
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);
  Value matmul(Value x, Value w, bool transpose_w = true);  // activations stay f32 until the quantize pass
  Value expert_matmul(Value x, Value w, Value ids);
  Value gather(Value table, Value ids);
  Value act(Activation kind, Value x);
  Value glu(Activation kind, Value gate, Value up);
  Value softcap(Value x, float cap);
  Value softmax(Value x, int axis = -1);
  Value sum(Value x, int axis = -1);
  std::pair<Value, Value> top_k(Value x, int64_t k);
  Value rms_norm(Value x, Value w, float eps, float offset = 0);
  Value layer_norm(Value x, Value w, Value b, float eps);
  Value rope(Value x, Value frequencies, RopePairing pairing, int64_t dims, float scale = 1);
  Value reshape(Value x, const Dims& shape);
  Value split_heads(Value x, int64_t heads);  // [T, H*D] -> [T, H, D]
  Value merge_heads(Value x);                 // [T, H, D] -> [T, H*D]
  Value slice(Value x, int axis, int64_t begin, int64_t size);
  Value transpose(Value x, std::vector<int64_t> perm);
  Value broadcast(Value x, const Dims& shape);  // x itself when it has that shape
  Value as_f32(Value x);                        // x itself when it is f32 already; for norm weights and biases stored in another float type
  Value emit(Op op, std::vector<Value> in);     // any op; the forms above are shorter to read
  std::vector<Value> emit_all(Op op, std::vector<Value> in);

  // ---- what the Builder decides
  // q [T, H, D], k [T, Hkv, D], v [T, Hkv, Dv] -> [T, H, Dv]: attention of each sequence with itself, causal unless said.
  Value attend(Value q, Value k, Value v, const AttendOptions& options);
  // ---- models with an encoder, which reads each sequence's source whole
  // What `encode` makes of the sources, whose tokens(), positions() and seq() it sees: [M, E] where they are part of the step, as in learning.
  // Not valid where an earlier step has read them.
  Value source(const std::function<Value()>& encode);
  // q [T, H, D] -> [T, H, Dv]: attention of each sequence to all of its source. Its keys [M, Hkv, D] and values [M, Hkv, Dv] are asked for where
  // they are part of the step, and otherwise in the cache where keep_source has put them, in the same scope.
  Value attend_source(Value q, int64_t kv_heads, float scale, const std::function<std::pair<Value, Value>()>& keys_and_values);
  void keep_source(Value k, Value v);

  // Of the hidden states [T, E], only the rows whose logits are wanted: [R, E].
  Value wanted_rows(Value x);
  // Of each sequence of a packed batch one row, [T, E] -> [S, E]: that of its first token, of its last, or the mean over all of its tokens.
  Value first_rows(Value x);
  Value last_rows(Value x);
  Value mean_rows(Value x);
  // [T, ...] -> [S, L, ...] with L = T / S, for what works on whole sequences: each begins at a multiple of L and is followed by padding. The
  // sizes are bound.
  Value grid(Value x);
  Value lengths();                     // i32 [S], of the sequences in a grid
  Value grid_mask();                   // f32 [S, L, 1]: 1 at a token, 0 at padding
  void bind_sequences(int64_t count);  // S of this step, where sizes are bound
  // Over all axes but the last; weight, bias, running_mean and running_var [C] are weights under the scope. Where the model learns, with the
  // batch's own statistics, of which the running ones take a share of `momentum`.
  Value batch_norm(Value x, float eps, float momentum);
  // x itself but where the model learns. Each call draws its own mask.
  Value dropout(Value x, float rate);

  void output(Value v, std::string name);
  Value take_output(std::string_view name);  // one that was, and is no longer: to go on from it

  // Names and block numbers of what is emitted while the guard lives; scopes nest.
  class Scope {
   public:
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class Builder;
    Scope(Builder& builder, std::string prefix, int block);
    Builder& builder_;
    std::string old_prefix_;
    int old_block_;
  };
  [[nodiscard]] Scope block(int number, std::string_view prefix);
  [[nodiscard]] Scope scope(std::string_view prefix);
  void set_origin(std::string name, int block);  // for expansions: new nodes take this name as their prefix

  const Graph& graph() const { return graph_; }
  const Type& type(Value v) const { return graph_.type(v); }
  Graph take();                                  // verified
  Graph release() { return std::move(graph_); }  // as it is: for rewrites, whose runner verifies

 private:
  std::string full(std::string_view name) const;
  bool bound() const { return limits_.mode == BuildMode::learn || limits_.bound; }
  Dim tokens_dim() const;
  Dim sequences_dim() const;
  Value attend_in_cache(Value q, Value k, Value v, const AttendOptions& options);
  Value cache(const char* which, int64_t pages, int64_t heads, int64_t head_dim);
  Value append_to_cache(const char* which, int64_t pages, Value rows);
  std::string token_input(const char* name) const { return in_source_ ? std::string("source_") + name : name; }

  Graph graph_;
  BuildLimits limits_;
  WeightTypes weights_;
  std::string checkpoint_ = "the checkpoint";
  std::string prefix_;
  int block_ = -1;
  int64_t num_dropouts_ = 0;
  bool in_source_ = false;
};

}  // namespace motley
