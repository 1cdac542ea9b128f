#include "api/encode_text.h"

#include <algorithm>
#include <cmath>

#include "api/ensemble.h"
#include "api/open_model.h"
#include "base/error.h"
#include "nn/heads.h"

namespace motley {
namespace {

constexpr int64_t kLongestAnswer = 30;  // tokens

std::vector<EncodedText> encode_items(const TextReader& reader, std::span<const TextItem> items) {
  std::vector<EncodedText> out;
  for (const TextItem& item : items) {
    std::optional<std::string_view> second;
    if (item.second) second = *item.second;
    out.push_back(encode_whole(*reader.tokenizer, item.text, second, reader.session->longest_text()));
    if (out.back().ids.empty()) fail(ErrorKind::usage, "encode", "text {} is empty, and this model puts nothing around it", out.size() - 1);
  }
  return out;
}

std::vector<std::vector<float>> run(TextReader& reader, std::span<const EncodedText> texts) {
  std::vector<Sample> samples;
  const int64_t kinds = reader.config().token_types;
  for (const EncodedText& t : texts) {
    samples.push_back({t.ids, t.types});
    for (int32_t& type : samples.back().types) type = kinds > type ? type : 0;  // a model that knows fewer segments is told of none
  }
  return reader.session->run(samples);
}

std::vector<double> softmax(std::span<const float> logits) {
  const float top = *std::ranges::max_element(logits);
  std::vector<double> p;
  double sum = 0;
  for (float x : logits) sum += p.emplace_back(std::exp(static_cast<double>(x) - static_cast<double>(top)));
  for (double& x : p) x /= sum;
  return p;
}

std::vector<JudgedToken> tokens_of(const TextReader& reader, const EncodedText& text, std::span<const float> logits) {
  const auto width = static_cast<size_t>(reader.session->width());
  std::vector<JudgedToken> out;
  for (auto [begin, size] : {std::pair(text.first_begin, text.first_size), std::pair(text.second_begin, text.second_size)})
    for (int64_t t = begin; t < begin + size; ++t) {
      const auto p = softmax(logits.subspan(static_cast<size_t>(t) * width, width));
      const auto best = static_cast<size_t>(std::ranges::max_element(p) - p.begin());
      const int32_t id = text.ids[static_cast<size_t>(t)];
      out.push_back({id, std::string(reader.tokenizer->token_text(id)), {reader.config().labels[best], p[best]}});
    }
  return out;
}

// The likeliest span of the second text (or of the only one).
FoundAnswer answer_of(const TextReader& reader, const EncodedText& text, std::span<const float> logits) {
  const bool pair = text.second_size > 0;
  const int64_t begin = pair ? text.second_begin : text.first_begin, end = begin + (pair ? text.second_size : text.first_size);
  if (begin == end) return {};
  std::vector<float> to_begin, to_end;
  for (int64_t t = begin; t < end; ++t) {
    to_begin.push_back(logits[static_cast<size_t>(2 * t)]);
    to_end.push_back(logits[static_cast<size_t>(2 * t + 1)]);
  }
  const auto p = softmax(to_begin), q = softmax(to_end);
  FoundAnswer best;
  size_t from = 0, to = 0;
  for (size_t i = 0; i < p.size(); ++i)
    for (size_t j = i; j < std::min(q.size(), i + static_cast<size_t>(kLongestAnswer)); ++j)
      if (p[i] * q[j] > best.score) best.score = p[i] * q[j], from = i, to = j;
  const auto ids = std::span(text.ids).subspan(static_cast<size_t>(begin) + from, to - from + 1);
  best.text = reader.tokenizer->decode(ids, {.skip_special = true});
  return best;
}

}  // namespace

TextReader open_reader(const std::string& model, const ReaderOptions& options) {
  TextReader reader;
  reader.path = resolve_model(model);
  reader.checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(reader.path));
  if (!reader.checkpoint->has_weights())
    fail(ErrorKind::file, "model", "{} has a config.json but no weights (model.safetensors, or its index with the shards)", reader.path);
  reader.tokenizer = options.tokenizer.empty() ? find_tokenizer(*reader.checkpoint) : Tokenizer::load(resolve_model(options.tokenizer));
  if (!reader.tokenizer)
    fail(ErrorKind::file, "model", "{} has no tokenizer (tokenizer.json, vocab.txt, ...); name one with --tokenizer", reader.path);
  ModelSource source = model_from_checkpoint(reader.checkpoint);
  if (!options.adapter.empty()) {
    auto adapter = std::make_shared<const PeftAdapter>(read_peft(options.adapter));
    if (adapter->adapter.method == AdapterMethod::prefix)
      fail(ErrorKind::usage, "adapter", "{} is a prefix, which goes before what a model continues; see 'motley run'", options.adapter);
    source = adapted(source, adapter);
    source.config = with_head_of(*adapter, source.config);
  }
  if (options.embed) source.config = with_task(source.config, Task::embedding, {});
  if (options.pooling) source.config.pooling = *options.pooling;
  if (options.normalise) source.config.normalise = *options.normalise;
  reader.session = std::make_unique<EncodeSession>(source, options.limits, open_device(options.device, options.wishes), options.session);
  return reader;
}

std::vector<std::vector<float>> embed_texts(TextReader& reader, std::span<const TextItem> items) {
  if (reader.config().task != Task::embedding)
    fail(ErrorKind::usage, "embed", "{} was opened for '{}'", reader.path, task_name(reader.config().task));
  return run(reader, encode_items(reader, items));
}

std::vector<LabelScore> label_scores(const ModelConfig& c, std::span<const float> logits) {
  std::vector<LabelScore> out;
  const auto probabilities = c.task == Task::classification ? softmax(logits) : std::vector<double>{};
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto x = static_cast<double>(logits[i]);
    out.push_back({c.labels[i], c.task == Task::classification ? probabilities[i] : c.task == Task::multi_label ? 1 / (1 + std::exp(-x)) : x});
  }
  if (c.task != Task::regression) std::ranges::stable_sort(out, std::ranges::greater{}, &LabelScore::score);
  return out;
}

JointJudgement judge_together(std::span<const std::string> models, const ReaderOptions& options, std::span<const TextItem> items) {
  JointJudgement out;
  out.judgements.resize(items.size());
  const JointLogits joint = joint_logits(models, options, [&](TextReader& reader) {
    const auto texts = encode_items(reader, items);
    const int64_t longest = reader.session->longest_text();
    out.longest_text = out.longest_text == 0 ? longest : std::min(out.longest_text, longest);
    for (size_t i = 0; i < texts.size(); ++i) out.judgements[i].cut = std::max(out.judgements[i].cut, texts[i].cut);
    return run(reader, texts);
  });
  for (size_t i = 0; i < items.size(); ++i) out.judgements[i].labels = label_scores(joint.config, joint.logits[i]);
  out.config = joint.config;
  out.load_seconds = joint.load_seconds;
  return out;
}

std::vector<Judgement> judge_texts(TextReader& reader, std::span<const TextItem> items) {
  const ModelConfig& c = reader.config();
  if (!has_labels(c.task) && c.task != Task::question_answering)
    fail(ErrorKind::usage, "classify", "{} is made for '{}' and has no labels; fine-tune it on some, or see 'motley embed'", reader.path,
         task_name(c.task));
  const std::vector<EncodedText> texts = encode_items(reader, items);
  const auto logits = run(reader, texts);
  std::vector<Judgement> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    Judgement j;
    j.cut = texts[i].cut;
    if (one_per_text(c.task)) j.labels = label_scores(c, logits[i]);
    if (c.task == Task::token_classification) j.tokens = tokens_of(reader, texts[i], logits[i]);
    if (c.task == Task::question_answering) j.answer = answer_of(reader, texts[i], logits[i]);
    out.push_back(std::move(j));
  }
  return out;
}

}  // namespace motley
