// A model that reads texts whole, compiled for a device and loaded onto it: encoders, classifiers, and any model that embeds. Beside Session,
// which continues texts, it has no cache: a step takes some texts and gives what the model's last layer makes of each.
//
//   EncodeSession session(source, {.tokens = 512, .texts = 16}, std::move(device), {});
//   std::vector<std::vector<float>> rows = session.run(samples);     // logits or embedding of each text
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/session.h"
#include "nn/samples.h"

namespace motley {

struct EncodeLimits {
  int64_t tokens = 2048, texts = 32;  // of one step; one text may have so many tokens
};

class EncodeSession {
 public:
  EncodeSession(const ModelSource& source, const EncodeLimits& limits, std::unique_ptr<Device> device, const SessionOptions& options);

  // For each text [width()], or [tokens, width()] where the task is about tokens. Any number of texts: those that fit go together.
  // Error(usage) for one that is empty or longer than the model reads or a step takes.
  std::vector<std::vector<float>> run(std::span<const Sample> texts);

  const ModelConfig& config() const { return source_.config; }
  int64_t width() const { return width_; }
  int64_t longest_text() const;  // in tokens
  double load_seconds() const { return load_seconds_; }
  Device& device() { return *device_; }
  const Program& program() const { return variants_.begin()->second.programs[0]; }  // of the first sizes that ran

 private:
  // Programs for one set of sizes: all of them where sizes are named, else those of one grid.
  struct Variant {
    std::vector<Program> programs;
    std::vector<std::unique_ptr<Executable>> executables;
  };
  using Grid = std::pair<int64_t, int64_t>;  // texts, tokens of each; zeros where sizes are named

  Variant& variant_of(const Grid& grid);
  void run_step(std::span<const Sample> texts, std::vector<std::vector<float>>& out);

  ModelSource source_;
  EncodeLimits limits_;
  std::unique_ptr<Device> device_;
  SessionOptions options_;
  std::map<Grid, Variant> variants_;
  int64_t width_ = 0;
  double load_seconds_ = 0;
};

}  // namespace motley
