// Records of chat data sets as the messages that a chat template takes ({role, content, ...}), from the forms they come in:
//
//   alpaca    {"instruction", "input", "output", "system", "history": [[question, answer], ...]}
//   sharegpt  {"conversations": [{"from": "human" | "gpt" | "system" | "observation" | "function_call", "value": ...}], "system", "tools"}
//   messages  {"messages": [{"role", "content", "tool_calls", ...}], "tools"}, as OpenAI's interfaces take them
//
//   std::string problem = read_messages(json, record);      // fills record.messages and record.tools
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "io/dataset/record.h"

namespace motley {

// These give why the record cannot be used, in words; nothing when it can.
std::string read_alpaca(const nlohmann::ordered_json& json, Record& record);
std::string read_sharegpt(const nlohmann::ordered_json& json, Record& record);
std::string read_messages(const nlohmann::ordered_json& json, Record& record);

// The prompt that alpaca models were trained on (Stanford Alpaca, 2023), for a model without a template; what has been said so far comes
// before it in the same form. The answer follows at once.
std::string alpaca_prompt(const Record& record);

}  // namespace motley
