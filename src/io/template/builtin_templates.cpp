// The formats that families of models were trained on, as their makers describe them. A beginning-of-text token is printed where the family
// begins a prompt with it, if the tokenizer has one.
#include "io/template/builtin_templates.h"

#include <algorithm>
#include <array>

namespace motley {
namespace {

constexpr std::string_view kAlpaca = R"({%- for message in messages %}
{%- if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}
{%- elif message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'] + '\n\n' }}
{%- elif message['role'] == 'assistant' %}{{ '### Response:\n' + message['content'] + '\n\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '### Response:\n' }}{% endif %})";

constexpr std::string_view kChatml = R"({%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

constexpr std::string_view kDeepseek = R"({{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}
{%- elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}
{%- elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %})";

// Gemma has no system role: its text stands at the head of the first user turn.
constexpr std::string_view kGemma = R"({{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}{% set ns.system = message['content'] | trim + '\n\n' %}
{%- else %}
{{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}
{{- ns.system + message['content'] | trim + '<end_of_turn>\n' }}
{%- set ns.system = '' %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %})";

// The system text stands inside the first instruction; every answer ends a sequence and the next instruction begins one.
constexpr std::string_view kLlama2 = R"({%- set ns = namespace(system='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}{% set ns.system = '<<SYS>>\n' + message['content'] + '\n<</SYS>>\n\n' %}
{%- elif message['role'] == 'user' %}{{ bos_token }}{{ '[INST] ' + ns.system + message['content'] + ' [/INST]' }}{% set ns.system = '' %}
{%- elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}
{%- endif %}
{%- endfor %})";

constexpr std::string_view kLlama3 = R"({{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %})";

constexpr std::string_view kMistral = R"({{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}{% set ns.system = message['content'] + '\n\n' %}
{%- elif message['role'] == 'user' %}{{ '[INST] ' + ns.system + message['content'] + '[/INST]' }}{% set ns.system = '' %}
{%- elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}
{%- endif %}
{%- endfor %})";

constexpr std::string_view kPhi3 = R"({%- for message in messages %}
{{- '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %})";

constexpr std::string_view kVicuna = R"({{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}
{%- elif message['role'] == 'user' %}{{ 'USER: ' + message['content'] + '\n' }}
{%- elif message['role'] == 'assistant' %}{{ 'ASSISTANT: ' + message['content'] + eos_token + '\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %})";

constexpr std::string_view kZephyr = R"({%- for message in messages %}
{{- '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %})";

struct Named {
  std::string_view name, source;
};
constexpr std::array kTemplates = {Named{"alpaca", kAlpaca}, Named{"chatml", kChatml}, Named{"deepseek", kDeepseek}, Named{"gemma", kGemma},
                                   Named{"llama2", kLlama2}, Named{"llama3", kLlama3}, Named{"mistral", kMistral},   Named{"phi3", kPhi3},
                                   Named{"vicuna", kVicuna}, Named{"zephyr", kZephyr}};

constexpr auto kNames = [] {
  std::array<std::string_view, kTemplates.size()> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kTemplates[i].name;
  return names;
}();

}  // namespace

std::optional<std::string_view> builtin_chat_template(std::string_view name) {
  auto it = std::find_if(kTemplates.begin(), kTemplates.end(), [&](const Named& t) { return t.name == name; });
  return it == kTemplates.end() ? std::nullopt : std::optional(it->source);
}

std::span<const std::string_view> builtin_chat_template_names() { return kNames; }

}  // namespace motley
