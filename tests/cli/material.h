// What the tests give the program to read: tiny checkpoints of the repository, and a tokenizer small enough for their 64 rows.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace motley {

// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ / name; }
  std::string write(const std::string& name, std::string_view bytes) const;  // gives its path
  bool holds_only(const std::vector<std::string>& names) const;

 private:
  std::filesystem::path path_;
};

// A checkpoint of tests/data/models: no tokenizer, 64 rows.
std::string tiny_model(const std::string& name = "llama2");

// Lower-case letters, space, comma, full stop, a few joined pairs, <s> 58, </s> 59, <|im_start|> 60, <|im_end|> 61; BOS before each text.
std::string small_tokenizer_json();

// A folder with tiny_model() and that tokenizer, with a chat template.
std::string model_with_tokenizer(const TempFolder& folder, const std::string& name = "llama2");

// A file of the material shared between programs; empty when it is not there.
std::string shared_data(const std::string& path);

}  // namespace motley
