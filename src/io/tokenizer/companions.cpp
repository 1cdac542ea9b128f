// tokenizer_config.json and the other small files that lie beside a tokenizer in a Hugging Face folder.
#include "io/tokenizer/companions.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/tokenizer/loaders.h"

namespace motley::tok {
namespace {

constexpr uint64_t kMaxSmallFile = 16 << 20;
constexpr size_t kMaxTemplates = 64;
constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"};

std::optional<Json> read_object(const std::string& path) {
  if (!file_exists(path)) return std::nullopt;
  Json json = parse_json(read_file(path, kMaxSmallFile), path);
  if (!json.is_object()) fail(ErrorKind::file, "tokenizer", "{}: expected an object, found {}", path, json.type_name());
  return json;
}

// A token is written as a text or as an object with 'content'.
std::optional<std::string> token_content(const Json& json, const char* key, const std::string& path) {
  auto it = json.find(key);
  if (it == json.end() || it->is_null()) return std::nullopt;
  if (it->is_object()) return json_find_string(*it, "content", path + ": " + key);
  return json_find_string(json, key, path);
}

AddedToken added_token(const Json& entry, int32_t id, const std::string& where) {
  AddedToken token;
  token.id = id;
  token.content = json_string(entry, "content", where);
  token.special = json_find_bool(entry, "special", where).value_or(false);
  token.normalized = json_find_bool(entry, "normalized", where).value_or(!token.special);
  token.single_word = json_find_bool(entry, "single_word", where).value_or(false);
  token.lstrip = json_find_bool(entry, "lstrip", where).value_or(false);
  token.rstrip = json_find_bool(entry, "rstrip", where).value_or(false);
  return token;
}

void read_chat_template(const Json& config, const std::string& path, Companions& out) {
  auto it = config.find("chat_template");
  if (it == config.end() || it->is_null()) return;
  if (it->is_string()) {
    out.chat_templates.emplace_back("default", it->get<std::string>());
    return;
  }
  if (!it->is_array() || it->size() > kMaxTemplates)
    fail(ErrorKind::file, "tokenizer", "{}: 'chat_template' should be a text or a list of at most {} named ones", path, kMaxTemplates);
  for (const Json& entry : *it)
    out.chat_templates.emplace_back(json_string(entry, "name", path + ": chat_template"), json_string(entry, "template", path + ": chat_template"));
}

void read_tokenizer_config(const std::string& path, Companions& out) {
  auto config = read_object(path);
  if (!config) return;
  out.tokenizer_class = json_find_string(*config, "tokenizer_class", path).value_or("");
  out.add_bos = json_find_bool(*config, "add_bos_token", path);
  out.add_eos = json_find_bool(*config, "add_eos_token", path);
  out.add_prefix_space = json_find_bool(*config, "add_prefix_space", path);
  out.lowercase = json_find_bool(*config, "do_lower_case", path);
  for (const char* role : kRoles)
    if (auto content = token_content(*config, role, path)) out.roles.emplace_back(role, *content);
  if (auto it = config->find("added_tokens_decoder"); it != config->end() && it->is_object())
    for (const auto& [key, entry] : it->items()) {
      auto id = parse_int(key);
      if (!id || *id < 0 || *id > INT32_MAX)
        fail(ErrorKind::file, "tokenizer", "{}: added_tokens_decoder: '{}' is not a token id", path, printable(key, 40));
      out.added.push_back(added_token(entry, static_cast<int32_t>(*id), path + ": added_tokens_decoder"));
    }
  read_chat_template(*config, path, out);
}

void read_template_files(const std::string& folder, Companions& out) {
  auto set = [&](const std::string& name, std::string text) {
    auto same = std::find_if(out.chat_templates.begin(), out.chat_templates.end(), [&](const auto& t) { return t.first == name; });
    if (same != out.chat_templates.end()) {
      same->second = std::move(text);
    } else {
      out.chat_templates.emplace_back(name, std::move(text));
    }
  };
  if (std::string path = folder + "/chat_template.jinja"; file_exists(path)) set("default", read_file(path, kMaxSmallFile));
  std::string more = folder + "/additional_chat_templates";
  if (!folder_exists(more)) return;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(more, error))
    if (entry.path().extension() == ".jinja" && files.size() < kMaxTemplates) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) set(file.stem().string(), read_file(file.string(), kMaxSmallFile));
}

int32_t* role_id(SpecialIds& ids, const std::string& role) {
  if (role == "bos_token") return &ids.bos;
  if (role == "eos_token") return &ids.eos;
  if (role == "unk_token") return &ids.unk;
  if (role == "pad_token") return &ids.pad;
  if (role == "sep_token") return &ids.sep;
  if (role == "cls_token") return &ids.cls;
  return role == "mask_token" ? &ids.mask : nullptr;
}

// The first of these that the vocabulary has as a special token.
int32_t first_special(const Vocabulary& vocabulary, std::initializer_list<std::string_view> texts) {
  for (std::string_view text : texts)
    if (int32_t id = vocabulary.find(text); id >= 0 && vocabulary.type(id) == TokenType::control) return id;
  return -1;
}

}  // namespace

Companions read_companions(const std::string& folder) {
  Companions out;
  read_tokenizer_config(folder + "/tokenizer_config.json", out);
  if (auto map = read_object(folder + "/special_tokens_map.json"))
    for (const char* role : kRoles) {
      bool known = std::any_of(out.roles.begin(), out.roles.end(), [&](const auto& r) { return r.first == role; });
      if (auto content = token_content(*map, role, folder + "/special_tokens_map.json"); content && !known) out.roles.emplace_back(role, *content);
    }
  std::unordered_set<int32_t> listed;
  for (const AddedToken& token : out.added) listed.insert(token.id);
  if (auto added = read_object(folder + "/added_tokens.json"))
    for (const auto& [content, id] : added->items()) {
      if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
        fail(ErrorKind::file, "tokenizer", "{}/added_tokens.json: the id of '{}' should be an integer from 0 to 2^31 - 1", folder,
             printable(content, 40));
      AddedToken token;
      token.id = id.get<int32_t>();
      token.content = content;
      token.normalized = true;
      if (!content.empty() && listed.insert(token.id).second) out.added.push_back(std::move(token));
    }
  if (auto config = read_object(folder + "/generation_config.json"))
    if (auto it = config->find("eos_token_id"); it != config->end()) {
      for (const Json& id : it->is_array() ? *it : Json::array({*it}))
        if (id.is_number_integer()) out.end_of_generation.push_back(id.get<int64_t>());
    }
  // Where nothing names the class, transformers takes that of the model.
  if (out.tokenizer_class.empty())
    if (auto config = read_object(folder + "/config.json"))
      if (auto type = json_find_string(*config, "model_type", folder + "/config.json"); type == "bart" || type == "roberta")
        out.tokenizer_class = "RobertaTokenizer";
  read_template_files(folder, out);
  return out;
}

void merge_added_tokens(const Companions& companions, VocabularyBuilder& vocabulary, std::vector<AddedToken>& added, const std::string& name) {
  std::unordered_set<std::string> known;
  for (const AddedToken& token : added) known.insert(token.content);
  for (const AddedToken& token : companions.added) {
    if (token.content.empty() || !known.insert(token.content).second) continue;
    if (int32_t id = vocabulary.find(token.content); id >= 0 && id != token.id)
      fail(ErrorKind::file, "tokenizer", "{}: '{}' is token {}, but the added tokens beside it say {}", name, printable(token.content, 40), id,
           token.id);
    vocabulary.set(token.id, Token{token.content, 0, token.special ? TokenType::control : TokenType::user_defined});
    added.push_back(token);
  }
  // A role's token is special even where no list of added tokens says so.
  for (const auto& [role, content] : companions.roles) {
    int32_t id = vocabulary.find(content);
    if (id < 0 || !known.insert(content).second) continue;
    vocabulary.set_type(id, role == "unk_token" ? TokenType::unknown : TokenType::control);
    AddedToken token;
    token.id = id;
    token.content = content;
    token.special = true;
    added.push_back(std::move(token));
  }
}

void apply_companions(const Companions& companions, Pipeline& pipeline) {
  for (const auto& [role, content] : companions.roles)
    if (int32_t id = pipeline.vocabulary.find(content); id >= 0)
      if (int32_t* place = role_id(pipeline.special, role)) *place = id;
  auto fill = [&](int32_t& place, std::initializer_list<std::string_view> texts) {
    if (place < 0) place = first_special(pipeline.vocabulary, texts);
  };
  if (companions.roles.empty()) {  // a tokenizer.json alone does not say which of its special tokens has which role
    fill(pipeline.special.bos, {"<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "<｜begin▁of▁sentence｜>"});
    fill(pipeline.special.eos, {"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "<｜end▁of▁sentence｜>"});
    fill(pipeline.special.pad, {"<pad>", "[PAD]", "<|padding|>"});
    fill(pipeline.special.cls, {"[CLS]"});
    fill(pipeline.special.sep, {"[SEP]"});
    fill(pipeline.special.mask, {"[MASK]", "<mask>"});
  }
  for (int64_t id : companions.end_of_generation)
    if (id >= 0 && id < pipeline.vocabulary.size()) pipeline.add_end_of_generation(static_cast<int32_t>(id));
  pipeline.chat_templates = companions.chat_templates;
}

}  // namespace motley::tok
