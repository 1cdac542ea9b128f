// Texts to vectors, and texts to labels: what `motley embed` and `motley classify` do with a model that reads texts whole.
//
//   TextReader reader = open_reader("models/all-MiniLM-L6-v2", {});
//   std::vector<std::vector<float>> vectors = embed_texts(reader, items);
//
//   TextReader judge = open_reader("models/sst2", {});
//   judge_texts(judge, items)[0].labels[0];                   // {"positive", 0.998}
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/devices.h"
#include "control/encode_session.h"
#include "io/checkpoint.h"
#include "io/tokenizer/encode_pair.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

struct ReaderOptions {
  std::string device = "cpu";
  std::string tokenizer;  // where it is, when not beside the model
  std::string adapter;    // the folder of one that runs beside the weights; its labels are then the model's
  DeviceWishes wishes;
  EncodeLimits limits;
  bool embed = false;              // vectors are wanted, whatever last layer config.json names
  std::optional<Pooling> pooling;  // of embeddings, in place of the model's own
  std::optional<bool> normalise;
  SessionOptions session;
};

struct TextReader {
  std::string path;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<EncodeSession> session;

  const ModelConfig& config() const { return session->config(); }
};

// Error(file) for a model without weights or tokenizer; Error(usage) for one that continues texts, unless embeddings are wanted.
TextReader open_reader(const std::string& model, const ReaderOptions& options);

struct TextItem {
  std::string text;
  std::optional<std::string> second;  // judged together with it: [CLS] text [SEP] second [SEP]
};

// [texts][E]; longer texts are cut to what the model reads.
std::vector<std::vector<float>> embed_texts(TextReader& reader, std::span<const TextItem> items);

struct LabelScore {
  std::string label;
  double score = 0;  // a probability; of a regression, the number itself
};

struct JudgedToken {
  int32_t id = 0;
  std::string text;  // the token as it stands in a text
  LabelScore best;
};

struct FoundAnswer {
  std::string text;
  double score = 0;  // probability of its beginning times that of its end
};

// What the model's task says of one text; the other fields are empty.
struct Judgement {
  std::vector<LabelScore> labels;     // classification: all, the likeliest first (they sum to 1); multi-label too; regression in the model's order
  std::vector<JudgedToken> tokens;    // token classification: the text's own tokens in order
  std::optional<FoundAnswer> answer;  // question answering: text is the question, second where the answer is looked for
  int64_t cut = 0;                    // tokens that were not read
};

std::vector<Judgement> judge_texts(TextReader& reader, std::span<const TextItem> items);

// The logits [texts][labels] of models that have one answer for each text, as labels with scores.
std::vector<LabelScore> label_scores(const ModelConfig& config, std::span<const float> logits);

// What several models say together (api/ensemble.h).
struct JointJudgement {
  ModelConfig config;  // of the first
  std::vector<Judgement> judgements;
  double load_seconds = 0;
  int64_t longest_text = 0;  // in tokens, that all of them read
};
JointJudgement judge_together(std::span<const std::string> models, const ReaderOptions& options, std::span<const TextItem> items);

}  // namespace motley
