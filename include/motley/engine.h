// Running a model from C++ in a few lines. A program that needs more (many sequences at once, plans, graphs) uses the libraries beneath,
// whose headers lie beside their sources in src/.
//
//   motley::Engine engine = motley::Engine::open("models/SmolLM2-135M");
//   engine.generate("Once upon a time", {.max_tokens = 64}, [](std::string_view text) {
//     std::cout << text << std::flush;
//     return true;  // false stops
//   });
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "motley/error.h"

namespace motley {

struct EngineOptions {
  int threads = 0;              // 0: as many as there are physical cores to use
  int64_t context = 0;          // tokens; 0: what the model allows and memory holds
  std::string kv_type = "f16";  // f32, f16, bf16, q8_0
  std::string device = "cpu";
};

struct GenerateOptions {
  int64_t max_tokens = -1;                          // -1: until the model ends or the context is full
  std::optional<float> temperature = std::nullopt;  // unset, here and below: the model's own, then the program's defaults
  std::optional<float> top_p = std::nullopt;
  std::optional<float> min_p = std::nullopt;
  std::optional<int64_t> top_k = std::nullopt;
  uint64_t seed = 0;  // the same seed gives the same text
  std::vector<std::string> stop = {};
};

struct Generation {
  std::string text;           // without the prompt
  std::vector<int32_t> ids;   // with the end token, if one stopped it
  std::string finish_reason;  // "stop", "length", "cancelled"
  double tokens_per_second = 0;
};

class Engine {
 public:
  // model: a folder in Hugging Face layout, a .gguf file, or org/name from the hub's cache. Throws Error.
  static Engine open(const std::string& model, const EngineOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  using OnText = std::function<bool(std::string_view text)>;
  Generation generate(const std::string& prompt, const GenerateOptions& options = {}, const OnText& on_text = {});
  Generation generate_from_ids(const std::vector<int32_t>& prompt, const GenerateOptions& options = {}, const OnText& on_text = {});

  std::vector<int32_t> tokenize(const std::string& text) const;  // with the special tokens the model expects
  std::string detokenize(const std::vector<int32_t>& ids) const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace motley
