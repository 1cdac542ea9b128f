#include "nn/other_architectures.h"

#include <string>

#include "base/text.h"

namespace motley {
namespace {

// The first row that fits counts.
constexpr OtherArchitecture kOthers[] = {
    {"deepseekv2*", "its attention works on compressed keys and values", "qwen3-moe"},
    {"deepseekv3*", "its attention works on compressed keys and values", "qwen3-moe"},
    {"deepseek2*", "its attention works on compressed keys and values", "qwen3-moe"},
    {"deepseek", "it has an expert for every token beside the chosen ones", "qwen3-moe"},
    {"kimik2*", "its attention works on compressed keys and values", "qwen3-moe"},
    {"gptoss*", "its attention has sinks and its experts have biases", "mixtral"},
    {"qwen2moe", "it has an expert for every token beside the chosen ones", "qwen3-moe"},
    {"qwen3next", "most of its layers have linear attention", "qwen3-moe"},
    {"qwen2vl*", "it reads pictures", "qwen2"},
    {"qwen25vl*", "it reads pictures", "qwen2"},
    {"qwen3vl*", "it reads pictures", "qwen3"},
    {"llama4*", "a part of its layers knows no positions, and it has a shared expert", "mixtral"},
    {"mllama*", "it reads pictures", "llama"},
    {"llava*", "it reads pictures", "llama"},
    {"pixtral*", "it reads pictures", "mistral"},
    {"mistral3", "it reads pictures", "mistral"},
    {"gemma3n*", "it has embeddings for each layer", "gemma3"},
    {"paligemma*", "it reads pictures", "gemma"},
    {"phi", "its attention and feed-forward run side by side", "phi3"},
    {"phi2", "its attention and feed-forward run side by side", "phi3"},
    {"phimoe", "its experts are chosen in a way of its own", "mixtral"},
    {"dbrx", "its norms and experts are laid out in another way", "mixtral"},
    {"arctic", "it has a dense layer beside the experts", "mixtral"},
    {"olmoe", "its norms take all heads together", "qwen3-moe"},
    {"olmo*", "its norms are of another kind or in other places", "llama"},
    {"cohere*", "its attention and feed-forward run side by side", "llama"},
    {"commandr", "its attention and feed-forward run side by side", "llama"},
    {"granite*", "it scales embeddings, residuals and logits", "llama"},
    {"internlm2*", "its queries, keys and values lie in one matrix", "llama"},
    {"stablelm*", "it has layer norms and turns a part of each head", "gpt-neox"},
    {"starcoder2", "it has layer norms and biases beside rotary positions", "gpt-neox"},
    {"starcoder", "its heads share one key and value", "gpt2"},
    {"gptbigcode", "its heads share one key and value", "gpt2"},
    {"gptj", "it turns neighbours in a part of each head", "gpt-neox"},
    {"gptneo", "its layers take turns between local and full attention", "gpt2"},
    {"opt", "its positions begin at two", "gpt2"},
    {"falconmamba*", "its layers are recurrent", "llama"},
    {"falconh1", "its layers have recurrent heads", "llama"},
    {"falcon", "its attention and feed-forward run side by side", "gpt-neox"},
    {"bloom", "it has slopes in place of positions", "gpt-neox"},
    {"mpt", "it has slopes in place of positions", "gpt-neox"},
    {"baichuan*", "its queries, keys and values lie in one matrix", "llama"},
    {"chatglm", "its queries, keys and values lie in one matrix", "llama"},
    {"glm*", "it turns neighbours in a part of each head", "llama"},
    {"minicpm*", "it scales embeddings, residuals and logits", "llama"},
    {"exaone*", "its layers have names or norms of their own", "llama"},
    {"nemotron*", "its feed-forward squares a ReLU", "llama"},
    {"smollm3", "a part of its layers knows no positions", "llama"},
    {"mamba*", "its layers are recurrent", "llama"},
    {"rwkv*", "its layers are recurrent", "llama"},
    {"recurrentgemma", "a part of its layers is recurrent", "gemma2"},
    {"jamba", "a part of its layers is recurrent", "mixtral"},
    {"lfm2*", "a part of its layers are convolutions", "llama"},
    {"t5gemma*", "its encoder has rotary positions", "t5"},
    {"umt5*", "each of its layers has distances of its own", "t5"},
    {"longt5*", "its encoder sees what is near", "t5"},
    {"mbart*", "its norms stand before attention and feed-forward", "bart"},
    {"m2m100*", "its norms stand before attention and feed-forward", "marian"},
    {"pegasus*", "its norms stand before attention and feed-forward", "marian"},
    {"led*", "its encoder sees what is near", "bart"},
    {"whisper*", "it hears speech", "llama"},
    {"nomicbert*", "its encoder has rotary positions", "bert"},
    {"modernbert", "its encoder has rotary positions", "bert"},
};

}  // namespace

std::span<const OtherArchitecture> other_architectures() { return kOthers; }

const OtherArchitecture* find_other_architecture(std::string_view name) {
  std::string plain;
  for (char c : lower_ascii(name))
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  for (std::string_view ending : {"forcausallm", "forconditionalgeneration"})
    if (plain.ends_with(ending)) plain.resize(plain.size() - ending.size());
  for (const OtherArchitecture& other : kOthers) {
    const bool begins = other.name.ends_with('*');
    if (begins ? plain.starts_with(other.name.substr(0, other.name.size() - 1)) : plain == other.name) return &other;
  }
  return nullptr;
}

}  // namespace motley
