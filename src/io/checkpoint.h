// A model on disk, whichever way it is stored: a Hugging Face folder (config.json with safetensors, in one file or sharded by an index),
// or a GGUF file (alone in its folder, or split into -00001-of-0000N parts). Names and shapes are the file's own; what they mean is for
// the model families to say.
//
//   Checkpoint model = Checkpoint::open("models/SmolLM2-135M");
//   if (model.format() == CheckpointFormat::hf) use(model.config());
//   Tensor norm = model.load("model.norm.weight");               // borrows the mapping
//   for (const auto& t : model.tensors()) {                      // or streamed, so that only the copy stays in memory
//     model.read(t.name, buffer);
//     model.drop(t.name);
//   }
//
// What cannot be opened is Error(file) saying what the path is instead and what to do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/json_fwd.h"
#include "tensor/tensor.h"

namespace motley {

class GgufFile;

enum class CheckpointFormat { hf, gguf };

struct CheckpointTensor {
  std::string_view name;
  std::optional<Dtype> dtype;  // as load() gives it; nothing: a type this program cannot read, loading it is an Error
  std::string_view type_name;  // as the file calls it: "Q4_K", "BF16", "IQ4_XS"
  Shape shape;
  uint64_t size_bytes = 0;        // as load() gives it
  uint64_t stored_bytes = 0;      // in the file
  std::string_view nearest = "";  // for a type that cannot be read, the one to have instead
  bool converted = false;         // stored as type_name, which nothing computes with: load() and read() turn it into dtype
};

class Checkpoint {
 public:
  // path: a folder, a .gguf file, or a .safetensors file (with the config.json beside it).
  static Checkpoint open(const std::string& path);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  CheckpointFormat format() const;
  const std::string& path() const;        // what was opened: a folder (hf) or the first GGUF file
  const std::string& folder() const;      // where tokenizer files would be
  const Json& config() const;             // config.json; null for GGUF
  const Json& generation_config() const;  // generation_config.json; null when there is none
  const GgufFile* gguf() const;           // metadata; null for Hugging Face folders

  bool has_weights() const;  // false: only a config.json was there
  std::span<const CheckpointTensor> tensors() const;
  const CheckpointTensor* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  uint64_t weight_bytes() const;  // of all tensors, in the files

  Tensor load(std::string_view name) const;                         // borrows the mapping, but owns what was converted
  void read(std::string_view name, std::span<std::byte> to) const;  // copies through read(); to has size_bytes
  // A part of what load() borrows; false, and nothing copied, where load() owns.
  bool read_part(std::string_view name, uint64_t from_byte, std::span<std::byte> to) const;
  void drop(std::string_view name) const;  // its pages are no longer needed

 private:
  struct Content;
  explicit Checkpoint(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

}  // namespace motley
