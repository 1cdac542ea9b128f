// Templates and contexts from strangers: whatever the bytes, rendering ends in text or in an Error, within its bounds. The first two bytes
// say how much of the rest is the template; what follows it is the context, as JSON, and where that is none, one message of text.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "io/ordered_json.h"
#include "io/template/chat_template.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  size_t split = (static_cast<size_t>(data[0]) << 8) | data[1];
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string_view source = rest.substr(0, split), context = rest.substr(source.size());
  motley::TemplateLimits limits{.steps = 50'000, .output_bytes = 1 << 20, .memory_bytes = 16 << 20};
  nlohmann::ordered_json variables = nlohmann::ordered_json::object(),
                         messages = nlohmann::ordered_json::array({{{"role", "user"}, {"content", "Hi"}}});
  try {
    auto parsed = motley::parse_ordered_json(context, "context");
    if (parsed.is_object()) variables = std::move(parsed);
    if (parsed.is_array()) messages = std::move(parsed);
  } catch (const motley::Error&) {
    messages[0]["content"] = context;
  }
  try {
    auto chat = motley::ChatTemplate::parse(source, limits);
    motley::ChatOptions options;
    options.add_generation_prompt = true;
    options.bos_token = "<s>";
    options.eos_token = "</s>";
    options.variables = &variables;
    options.tools = &messages;
    chat.render(messages, options);
  } catch (const motley::Error&) {
  }
  return 0;
}
