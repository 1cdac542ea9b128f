#include "material.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace motley {

namespace fs = std::filesystem;

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "motley-cli-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}

TempFolder::~TempFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::string TempFolder::write(const std::string& name, std::string_view bytes) const {
  fs::create_directories((path_ / name).parent_path());
  std::ofstream(path_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path_ / name;
}

bool TempFolder::holds_only(const std::vector<std::string>& names) const {
  return std::ranges::all_of(fs::directory_iterator(path_),
                             [&](const auto& entry) { return std::ranges::find(names, entry.path().filename().string()) != names.end(); });
}

std::string tiny_model(const std::string& name) { return std::string(MOTLEY_SOURCE_DIR "/tests/data/models/") + name; }

std::string small_tokenizer_json() {
  using Json = nlohmann::ordered_json;
  Json vocab = Json::object(), added = Json::array(), merges = Json::array();
  int id = 0;
  for (char c = 'a'; c <= 'z'; ++c) vocab[std::string(1, c)] = id++;
  for (const char* text : {"Ġ", ",", ".", "th", "the", "Ġthe", "Ġa", "on", "ce", "once", "Ġt", "Ġw", "in"}) vocab[text] = id++;
  for (auto [left, right] : {std::pair("t", "h"), std::pair("th", "e"), std::pair("o", "n"), std::pair("c", "e"), std::pair("on", "ce"),
                             std::pair("Ġ", "the"), std::pair("Ġ", "a"), std::pair("Ġ", "t"), std::pair("Ġ", "w"), std::pair("i", "n")})
    merges.push_back(Json::array({left, right}));
  id = 58;
  for (const char* text : {"<s>", "</s>", "<|im_start|>", "<|im_end|>"})
    added.push_back(Json{
        {"id", id++}, {"content", text}, {"single_word", false}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}, {"special", true}});
  Json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
       second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  Json root = {{"version", "1.0"},
               {"added_tokens", added},
               {"normalizer", nullptr},
               {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
               {"post_processor",
                {{"type", "TemplateProcessing"},
                 {"single", Json::array({bos, text})},
                 {"pair", Json::array({bos, text, second})},
                 {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", Json::array({58})}, {"tokens", Json::array({"<s>"})}}}}}}},
               {"decoder", {{"type", "ByteLevel"}}},
               {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  return root.dump(1);
}

std::string model_with_tokenizer(const TempFolder& folder, const std::string& name) {
  const fs::path to = folder / "model";
  fs::create_directories(to);
  for (const char* file : {"config.json", "generation_config.json", "model.safetensors"}) fs::copy_file(fs::path(tiny_model(name)) / file, to / file);
  folder.write("model/tokenizer.json", small_tokenizer_json());
  nlohmann::ordered_json config = {
      {"tokenizer_class", "PreTrainedTokenizerFast"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_bos_token", true}};
  config["chat_template"] =
      "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt "
      "%}<|im_start|>assistant {% endif %}";
  folder.write("model/tokenizer_config.json", config.dump(1));
  return to;
}

std::string shared_data(const std::string& path) {
  const char* folder = std::getenv("MOTLEY_SHARED");
  fs::path file = fs::path(folder ? folder : MOTLEY_SOURCE_DIR "/../shared") / "data" / path;
  return fs::exists(file) ? file.string() : "";
}

}  // namespace motley
