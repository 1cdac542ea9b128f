#include "nn/config.h"

#include "base/error.h"
#include "nn/config_gguf.h"
#include "nn/config_source.h"
#include "nn/families.h"

namespace motley {
namespace {

void check_range(const std::string& what, const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) fail(ErrorKind::file, "config", "{}: {} is {}, expected a number from {} to {}", what, field, value, low, high);
}

void check_rope(const std::string& what, const RopeConfig& rope, const ModelConfig& c) {
  const bool turns = family_of(c).defaults.partial_rotary > 0;  // not in models with learned positions
  if (rope.dims % 2 != 0 || rope.dims > c.head_dim || rope.dims < (turns ? 2 : 0))
    fail(ErrorKind::file, "config", "{}: {} elements of each head turn, expected an even number from 2 to the head's {}", what, rope.dims,
         c.head_dim);
  auto check_list = [&](const char* name, const std::vector<double>& list) {
    if (static_cast<int64_t>(list.size()) != rope.dims / 2)
      fail(ErrorKind::file, "config", "{}: {} has {} entries, expected {}, one for each pair of the {} elements that turn", what, name, list.size(),
           rope.dims / 2, rope.dims);
    for (double d : list)
      if (!(d >= 1e-6 && d <= 1e9)) fail(ErrorKind::file, "config", "{}: {} contains {}, expected numbers from 1e-6 to 1e9", what, name, d);
  };
  if (rope.scaling == RopeScaling::longrope || rope.scaling == RopeScaling::divisors) check_list("the list of (short) rotary factors", rope.divisors);
  if (rope.scaling == RopeScaling::longrope) check_list("the list of long rotary factors", rope.long_divisors);
}

}  // namespace

void check_config(const ModelConfig& c, const std::string& what) {
  check_range(what, "the number of layers", c.layers, 1, kMaxLayers);
  check_range(what, "the number of channels", c.hidden, 1, kMaxWidth);
  check_range(what, "the number of heads", c.heads, 1, kMaxHeads);
  check_range(what, "the number of key-value heads", c.kv_heads, 1, c.heads);
  check_range(what, "the size of a head", c.head_dim, 1, kMaxHeadDim);
  check_range(what, "the size of the feed-forward", c.ff, 1, kMaxWidth);
  check_range(what, "the size of the vocabulary", c.vocab, 1, kMaxVocab);
  check_range(what, "the number of positions", c.max_positions, 1, kMaxPositions);
  if (c.heads % c.kv_heads != 0)
    fail(ErrorKind::file, "config", "{}: {} heads cannot share {} key-value heads evenly, expected a divisor of {}", what, c.heads, c.kv_heads,
         c.heads);
  const FormatDifference difference = family_of(c).difference;
  const bool encoder = family_of(c).kind == FamilyKind::encoder;
  if (encoder || difference == FormatDifference::transposed || difference == FormatDifference::qkv_by_head) {
    if (c.heads * c.head_dim != c.hidden || c.kv_heads != c.heads)
      fail(ErrorKind::file, "config", "{}: {} channels do not divide into {} heads of {} with as many key-value heads ({})", what, c.hidden, c.heads,
           c.head_dim, c.kv_heads);
  }
  if (encoder) {
    check_range(what, "the kinds of segments", c.token_types, 0, kMaxVocab);
    check_range(what, "the position of the first token", c.first_position, 0, c.max_positions - 1);
  }
  if (reads_sources(c)) {
    check_range(what, "the number of the encoder's layers", c.seq2seq.layers, 1, kMaxLayers);
    check_range(what, "the number of the encoder's heads", c.seq2seq.heads, 1, kMaxHeads);
    check_range(what, "the size of the encoder's feed-forward", c.seq2seq.ff, 1, kMaxWidth);
    check_range(what, "the token before every answer", c.seq2seq.start, 0, c.vocab - 1);
    if (c.seq2seq.pad) check_range(what, "the padding token", *c.seq2seq.pad, 0, c.vocab - 1);
  }
  if (has_labels(c.task)) check_range(what, "the number of labels", c.num_labels(), 1, kMaxVocab);
  check_rope(what, c.rope, c);
  if (c.window_rope) check_rope(what, *c.window_rope, c);
  if (static_cast<int64_t>(c.windows.size()) != c.layers)
    fail(ErrorKind::file, "config", "{}: {} windows for {} layers", what, c.windows.size(), c.layers);
  if (!c.expert_layers.empty()) {
    if (static_cast<int64_t>(c.expert_layers.size()) != c.layers)
      fail(ErrorKind::file, "config", "{}: {} entries on expert layers for {} layers", what, c.expert_layers.size(), c.layers);
    check_range(what, "the number of experts", c.experts, 1, kMaxExperts);
    check_range(what, "the number of experts for each token", c.experts_used, 1, c.experts);
    check_range(what, "the size of an expert's feed-forward", c.expert_ff, 1, kMaxWidth);
  }
}

ModelConfig read_config(const Checkpoint& checkpoint) {
  if (checkpoint.format() == CheckpointFormat::gguf) return read_gguf_config(checkpoint);
  return read_config(checkpoint.config(), checkpoint.folder() + "/config.json");
}

}  // namespace motley
