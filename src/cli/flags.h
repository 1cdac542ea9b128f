// Flags that several subcommands share, so that each is spelled, described and checked once. Every long flag can also be given as an
// environment variable (--ctx-size is MOTLEY_CTX_SIZE) or as a key of a --config file; the command line wins, then the environment.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "api/generate_text.h"
#include "api/open_model.h"

namespace motley {

struct ModelFlags {
  std::string model;
  std::string device = "cpu", place = "auto", tokenizer, adapter;
  std::string context, batch_tokens, kv_type, reserve;
  int threads = 0;
  int64_t sequences = 0;
  std::vector<std::string> skip, dump_after;

  void add(CLI::App& app);
  ModelOptions options() const;  // Error(usage) naming the flag
};

struct SamplingFlags {
  std::optional<float> temperature, top_p, min_p, typical_p, repeat_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k, repeat_last_n;
  std::vector<std::string> logit_bias;  // ID=VALUE
  int64_t seed = -1;
  int logprobs = -1;

  void add(CLI::App& app);
  SamplerOptions options(SamplerOptions defaults) const;
};

struct BeamFlags {
  std::optional<int64_t> count;
  std::optional<double> length_penalty;

  void add(CLI::App& app);
  // defaults: the model's, which a temperature above 0 asked for puts aside.
  BeamOptions options(BeamOptions defaults, const SamplingFlags& sampling) const;
};

// The arguments with those of --config (or of a recipe, for commands that begin with one) and of the environment put before them.
std::vector<std::string> with_defaults(CLI::App& app, std::vector<std::string> arguments);

// A prompt's ids from "[1,2,3]".
std::vector<int32_t> parse_ids(const std::string& text, const char* flag);

}  // namespace motley
