// Any bytes as a .jsonl or a list of records: each is a conversation with an answer, or there are words for why not.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "io/dataset/conversation.h"
#include "io/dataset/json_elements.h"
#include "io/ordered_json.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  if (size >= 2 && (data[0] == 0x1f || data[0] == 0x28 || (data[0] & 0xf0) == 0x50)) return 0;  // packed: a target of its own
  motley::ByteStream in(motley::ByteSource::from_bytes({bytes.begin(), bytes.end()}, "input"));
  motley::JsonElements elements(in);
  int64_t line = 1;
  for (motley::JsonElement e; elements.next(e);) {
    if (e.line < line || e.text.size() > size) std::abort();
    line = e.line;
    if (!e.problem.empty() || e.text.find('\0') != std::string::npos) continue;
    nlohmann::ordered_json json;
    try {
      json = motley::parse_ordered_json(e.text, "it");
    } catch (const motley::Error& error) {
      if (error.kind() != motley::ErrorKind::file) std::abort();
      continue;
    }
    if (!json.is_object()) continue;
    for (auto read : {motley::read_alpaca, motley::read_sharegpt, motley::read_messages}) {
      motley::Record record;
      if (!read(json, record).empty()) continue;
      bool answer = false;
      for (const auto& m : record.messages) answer = answer || m.value("role", "") == "assistant";
      if (!answer) std::abort();
      if (!record.instruction.empty()) motley::alpaca_prompt(record);
    }
  }
  return 0;
}
