// The data of a training run: what a path, a tokenizer and a few wishes make, as tokens, ready to be put into batches. Formats are told by
// looking (io/dataset/detect.h); what cannot be used is reported with its line; the tokens are kept in a cache folder, if there is one, under a
// hash of everything they depend on, so that the next run begins at once.
//
//   Samples samples = read_samples({.path = "chats.jsonl.gz", .cache_folder = cache, .threads = 2}, *tokenizer);
//   samples.description()      // "3,421 records, JSONL of OpenAI messages (gzip)"
//   samples.ids(0)             // the tokens of the first
//
// A Samples is constant and cheap to copy; any number of threads may read it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/dataset/data_options.h"
#include "io/dataset/sample_data.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

class Samples {
 public:
  explicit Samples(SampleData data) : data_(std::make_shared<const SampleData>(std::move(data))) {}
  Samples only(std::vector<int64_t> chosen) const;  // these samples of them, in this order

  int64_t size() const { return chosen_ ? static_cast<int64_t>(chosen_->size()) : data_->size(); }
  int64_t tokens() const { return chosen_ ? chosen_tokens_ : static_cast<int64_t>(data_->begins.back() - data_->begins.front()); }  // of all samples

  std::span<const int32_t> ids(int64_t i) const { return data_->all_ids().subspan(begin(i), length(i)); }
  // Empty: every token but the first is a target. Otherwise as long as ids: 1 where this token is to be predicted and counts.
  std::span<const uint8_t> scored(int64_t i) const {
    return data_->scored ? data_->all_scored().subspan(begin(i), length(i)) : std::span<const uint8_t>();
  }
  // Empty for texts; one class's index or a value; or a 0 or 1 for each class.
  std::span<const float> labels(int64_t i) const {
    const auto width = static_cast<size_t>(data_->label_width);
    return std::span(data_->labels).subspan(place(i) * width, width);
  }
  int64_t label_width() const { return data_->label_width; }                    // how many labels(i) gives
  const std::vector<std::string>& classes() const { return data_->classes; }    // by index; empty where labels are values, or there are none
  const std::string& description() const { return data_->description; }         // what was found, in one line
  const std::vector<std::string>& warnings() const { return data_->warnings; }  // what to tell the user, a sentence (or a short list) each
  uint64_t content_hash() const { return data_->hash; }                         // of files, tokenizer and options: the same data again have the same
  int64_t copies() const { return data_->copies; }                              // how many in other words follow each sample
  const SampleData& data() const { return *data_; }                             // of all, also where only some were chosen

 private:
  size_t place(int64_t i) const { return static_cast<size_t>(chosen_ ? (*chosen_)[static_cast<size_t>(i)] : i); }
  size_t begin(int64_t i) const { return static_cast<size_t>(data_->begins[place(i)]); }
  size_t length(int64_t i) const { return static_cast<size_t>(data_->begins[place(i) + 1]) - begin(i); }
  std::shared_ptr<const SampleData> data_;
  std::shared_ptr<const std::vector<int64_t>> chosen_;  // null: all of them
  int64_t chosen_tokens_ = 0;
};

// progress: bytes of the files that were read, of all; it may throw, which ends the work and leaves nothing behind. Error(file) when the data
// are missing, damaged, or more than one record in a hundred cannot be used; Error(usage) when options do not fit the data.
Samples read_samples(const DataOptions& options, const Tokenizer& tokenizer, const std::function<void(int64_t done, int64_t total)>& progress = {});

// A sample as people read it before the first step: stretches of text, and which of them the model learns to say.
struct ShownPart {
  std::string text;
  bool counts = false;
};
std::vector<ShownPart> show_sample(const Samples& samples, int64_t i, const Tokenizer& tokenizer);

}  // namespace motley
