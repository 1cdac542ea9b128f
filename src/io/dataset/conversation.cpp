#include "io/dataset/conversation.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "io/ordered_json.h"
#include "motley/error.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

const OrderedJson* member(const OrderedJson& object, const char* key) {
  auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string text_of(const OrderedJson& object, const char* key) {
  const OrderedJson* v = member(object, key);
  return v && v->is_string() ? v->get<std::string>() : "";
}

bool is_blank(const std::string& s) { return trim(s).empty(); }

OrderedJson message(const char* role, OrderedJson content) { return {{"role", role}, {"content", std::move(content)}}; }

// Tools come as a list, or as the text of one.
std::string read_tools(const OrderedJson& json, Record& record) {
  const OrderedJson* tools = member(json, "tools");
  if (!tools || (tools->is_string() && is_blank(tools->get<std::string>()))) return "";
  record.tools = *tools;
  if (tools->is_string()) {
    try {
      record.tools = parse_ordered_json(tools->get_ref<const std::string&>(), "'tools'");
    } catch (const Error& e) {
      return e.what();
    }
  }
  return record.tools.is_array() ? "" : "'tools' is no list";
}

constexpr std::array<std::string_view, 6> kRoles = {"system", "developer", "user", "assistant", "tool", "function"};

// What a conversation must have to be learned from.
std::string check_messages(const OrderedJson& messages) {
  bool answer = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const OrderedJson& m = messages[i];
    const std::string role = text_of(m, "role");
    if (std::ranges::find(kRoles, role) == kRoles.end())
      return fmt::format("the role '{}' is not known; expected system, user, assistant or tool", printable(role, 40));
    if (role != "assistant") continue;
    answer = true;
    const OrderedJson* content = member(m, "content");
    const bool nothing = !content || content->empty() || (content->is_string() && is_blank(content->get<std::string>()));
    if (nothing && !member(m, "tool_calls")) return fmt::format("message {} is an empty answer", i + 1);
  }
  return answer ? "" : "it has no answer (a message of the assistant)";
}

// A call of a function as sharegpt files write it, {"name", "arguments"} as text, in the shape that templates know.
std::string read_call(const std::string& value, OrderedJson& out) {
  OrderedJson call;
  try {
    call = parse_ordered_json(value, "'function_call'");
  } catch (const Error& e) {
    return e.what();
  }
  if (!call.is_array()) call = OrderedJson::array({call});
  OrderedJson calls = OrderedJson::array();
  for (const OrderedJson& c : call) {
    if (!c.is_object() || text_of(c, "name").empty()) return "a function_call without a name";
    calls.push_back({{"type", "function"}, {"function", c}});
  }
  out = {{"role", "assistant"}, {"content", ""}, {"tool_calls", std::move(calls)}};
  return "";
}

}  // namespace

std::string read_alpaca(const OrderedJson& json, Record& record) {
  const std::string instruction = text_of(json, "instruction"), input = text_of(json, "input"), output = text_of(json, "output");
  if (is_blank(instruction)) return "'instruction' is missing or empty";
  if (is_blank(output)) return "'output', the answer, is missing or empty";
  record.messages = OrderedJson::array();
  record.instruction = instruction;
  if (!is_blank(input)) record.input = input;
  if (std::string system = text_of(json, "system"); !is_blank(system)) record.messages.push_back(message("system", system));
  if (const OrderedJson* history = member(json, "history")) {
    if (!history->is_array()) return "'history' is no list";
    for (const OrderedJson& turn : *history) {
      if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) return "'history' is no list of [question, answer]";
      record.messages.push_back(message("user", turn[0]));
      record.messages.push_back(message("assistant", turn[1]));
    }
  }
  record.messages.push_back(message("user", is_blank(input) ? instruction : instruction + "\n" + input));
  record.messages.push_back(message("assistant", output));
  return check_messages(record.messages);
}

std::string read_sharegpt(const OrderedJson& json, Record& record) {
  const OrderedJson* turns = member(json, "conversations");
  if (!turns || !turns->is_array()) return "'conversations' is no list";
  record.messages = OrderedJson::array();
  if (std::string system = text_of(json, "system"); !is_blank(system)) record.messages.push_back(message("system", system));
  for (const OrderedJson& turn : *turns) {
    if (!turn.is_object()) return "a turn that is no object";
    if (member(turn, "role")) {  // some files use OpenAI's words here
      record.messages.push_back(turn);
      continue;
    }
    constexpr std::array<std::pair<std::string_view, const char*>, 7> kNames = {{{"human", "user"},
                                                                                 {"user", "user"},
                                                                                 {"gpt", "assistant"},
                                                                                 {"assistant", "assistant"},
                                                                                 {"system", "system"},
                                                                                 {"observation", "tool"},
                                                                                 {"tool", "tool"}}};
    const std::string from = text_of(turn, "from"), value = text_of(turn, "value");
    if (from == "function_call") {
      OrderedJson call;
      if (std::string problem = read_call(value, call); !problem.empty()) return problem;
      record.messages.push_back(std::move(call));
      continue;
    }
    const char* role = nullptr;
    for (auto [name, means] : kNames)
      if (name == from) role = means;
    if (!role) return fmt::format("nobody is called '{}' (\"from\"); expected human, gpt, system, observation or function_call", printable(from, 40));
    record.messages.push_back(message(role, value));
  }
  if (std::string problem = read_tools(json, record); !problem.empty()) return problem;
  return check_messages(record.messages);
}

std::string read_messages(const OrderedJson& json, Record& record) {
  const OrderedJson* messages = member(json, "messages");
  if (!messages || !messages->is_array()) return "'messages' is no list";
  record.messages = *messages;
  for (const OrderedJson& m : record.messages)
    if (!m.is_object()) return "a message that is no object";
  if (std::string problem = read_tools(json, record); !problem.empty()) return problem;
  return check_messages(record.messages);
}

std::string alpaca_prompt(const Record& record) {
  const bool with_input = !record.input.empty();
  std::string out = with_input ? "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
                                 "response that appropriately completes the request.\n\n"
                               : "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
  for (size_t i = 0; i + 2 < record.messages.size(); ++i) {
    const OrderedJson& m = record.messages[i];
    const std::string role = text_of(m, "role"), content = text_of(m, "content");
    if (role == "system") {
      out = content + "\n\n";
    } else {
      out += (role == "user" ? "### Instruction:\n" : "### Response:\n") + content + "\n\n";
    }
  }
  out += "### Instruction:\n" + record.instruction + "\n\n";
  if (with_input) out += "### Input:\n" + record.input + "\n\n";
  return out + "### Response:\n";
}

}  // namespace motley
