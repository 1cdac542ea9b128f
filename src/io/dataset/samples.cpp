#include "io/dataset/samples.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <optional>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "io/dataset/augment.h"
#include "io/dataset/labels.h"
#include "io/dataset/read_records.h"
#include "io/dataset/record_encoder.h"
#include "io/dataset/token_file.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/pipeline.h"
#include "io/tokenizer/unicode.h"

namespace motley {
namespace {

// Raised when the same files would now become other tokens, so that no cache of an older version is taken for them.
constexpr uint64_t kVersion = 1;
// Records are tokenised by all threads at once in blocks of about so many bytes.
constexpr size_t kBlockBytes = 4 << 20, kBlockRecords = 1 << 14;

void add_file(ContentHash& hash, const std::string& file) {
  const ByteSource source = ByteSource::open(file);
  hash.add_text(short_name(file)).add_number(source.size());
  std::vector<char> block(1 << 20);
  for (uint64_t at = 0; at < source.size(); at += block.size()) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(block.size(), source.size() - at));
    source.copy(at, std::as_writable_bytes(std::span(block.data(), n)));
    hash.add({block.data(), n});
  }
}

// Words, pairs and what they make of a text with something of everything: steps that are nowhere listed show in that.
void add_tokenizer(ContentHash& hash, const Tokenizer& tokenizer) {
  for (const tok::Token& t : tokenizer.vocabulary().tokens())
    hash.add_text(t.text).add_number(std::bit_cast<uint64_t>(t.score)).add_number(static_cast<uint64_t>(t.type));
  if (const tok::BpeModel* bpe = tokenizer.pipeline().bpe)
    for (const tok::Merge& m : bpe->merges()) hash.add_number(static_cast<uint64_t>(m.left)).add_number(static_cast<uint64_t>(m.right));
  const std::string probe =
      "The QUICK brown fox's 1234567 jumps,  over\tthe \"lazy\" dog...\n\n  I'LL they'd caf\xC3\xA9 e\xCC\x81 \xEF\xBC\xA1\xEF\xAC\x81 "
      "\xD0\x9F\xD1\x80 \xE4\xB8\xAD\xE6\x96\x87 \xED\x95\x9C \xF0\x9F\x98\x80 x_y-z (a) [b] {c} <d> $5 50% @e #f \r\n end ";
  for (bool special : {false, true})
    for (int32_t id : tokenizer.encode(probe, {.add_special = special})) hash.add_number(static_cast<uint64_t>(id));
  for (const auto& [name, source] : tokenizer.chat_templates()) hash.add_text(name).add_text(source);
  const SpecialIds& s = tokenizer.special();
  for (int32_t id : {s.bos, s.eos, s.sep, s.cls}) hash.add_number(static_cast<uint64_t>(id));
  for (int32_t id : tokenizer.end_of_generation()) hash.add_number(static_cast<uint64_t>(id));
  if (const Tokenizer& answers = tokenizer.of_answers(); &answers != &tokenizer) add_tokenizer(hash, answers);
}

uint64_t content_hash(const std::vector<std::string>& files, const DataOptions& o, const Tokenizer& tokenizer, const Augmenter& augmenter) {
  ContentHash hash;
  hash.add_number(kVersion).add_number(files.size());
  for (const std::string& file : files) add_file(hash, file);
  add_tokenizer(hash, tokenizer);
  for (const std::string* s :
       {&o.format, &o.split, &o.part, &o.text_column, &o.pair_column, &o.negative_column, &o.label_column, &o.label_separator, &o.chat_template})
    hash.add_text(*s);
  hash.add_number(static_cast<uint64_t>(o.labels)).add_number(o.classes.size());
  for (const std::string& c : o.classes) hash.add_text(c);
  hash.add_number(o.score_prompts).add_number(o.end_of_text).add_number(o.answers).add_number(static_cast<uint64_t>(o.max_tokens));
  augmenter.add_to(hash);
  return hash.value();
}

// Records on their way to samples.
class Tokenising {
 public:
  Tokenising(const RecordSource& source, const DataOptions& options, const Tokenizer& tokenizer, const std::string& folder, Augmenter& augmenter)
      : source_(source),
        options_(options),
        augmenter_(augmenter),
        encoder_(tokenizer, options),
        labels_(options.labels, options.classes),
        pool_({.threads = std::max(options.threads, 1)}),
        collector_(folder) {}

  SampleData run(const std::function<void(int64_t, int64_t)>& progress) {
    if (augmenter_.has_command()) reword(progress);
    const int64_t total = read_records(
        source_, options_, bad_, [&](Record&& r) { take(std::move(r)); }, progress);
    flush();
    SampleData data = collector_.finish();
    data.warnings = bad_.report(total);
    if (data.size() == 0) fail(ErrorKind::file, "data", "{}: there is nothing to learn from in {} records", options_.path, with_commas(total));
    const char* what = source_.form.form == Form::text ? "document" : "record";
    const int64_t own = data.size() / stride();
    data.description = fmt::format("{} {}{}, {}", with_commas(own), what, own == 1 ? "" : "s", source_.form.words);
    if (source_.files.size() > 1) data.description += fmt::format(", {} files", with_commas(static_cast<int64_t>(source_.files.size())));
    if (options_.labels == LabelKind::texts) {
      data.label_width = static_cast<int64_t>(lengths_.size()) / data.size();
      data.labels = std::move(lengths_);
    } else if (options_.labels != LabelKind::none) {
      auto numbers = labels_.finish(options_.path);
      data.labels = std::move(numbers.values);
      data.label_width = numbers.width;
      data.classes = std::move(numbers.classes);
      data.description += ", " + numbers.words;
      if (data.classes.size() == 1) data.warnings.push_back("all labels are the same: there is nothing to tell apart");
    }
    if (stride() > 1) data.description += fmt::format(", each followed by {} in other words", stride() - 1);
    warn(malformed_, "hold bytes that are not UTF-8, read as U+FFFD", data);
    warn(cut_, fmt::format("had more than {} tokens and were cut", options_.max_tokens), data);
    warn(nothing_left_, "had no answer within these tokens and were left out", data);
    warn(too_short_, "have a single token, with nothing to predict, and were left out", data);
    warn(earlier_lost_, "show earlier answers otherwise than when they were given, so only the answers that are shown alike count", data);
    return data;
  }

 private:
  int64_t stride() const { return 1 + augmenter_.copies(); }

  // The command sees all texts once: whatever it loads to do its work, it loads once.
  void reword(const std::function<void(int64_t, int64_t)>& progress) {
    std::vector<std::string> texts;
    BadRecords told_later;
    read_records(source_, options_, told_later, [&](Record&& r) { texts.push_back(std::move(r.text)); });
    augmenter_.reword(texts, [&] {
      if (progress) progress(0, 1);
    });
  }

  void take(Record&& record) {
    malformed_ += record.ends && !tok::is_valid_utf8(record.text) ? 1 : 0;
    bytes_ += record.text.size() + record.pair.size() + 256 * record.messages.size();
    block_.push_back(std::move(record));
    if (bytes_ >= kBlockBytes || block_.size() >= kBlockRecords) flush();
  }

  void flush() {
    const auto each = static_cast<size_t>(stride());
    encoded_.assign(block_.size() * each, {});
    WorkQueue queue;
    pool_.run([&](int, int workers) {
      queue.split(0, static_cast<int64_t>(block_.size()), 1, workers, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) encode(i, std::span(encoded_).subspan(static_cast<size_t>(i) * each, each));
      });
    });
    for (size_t i = 0; i < block_.size(); ++i) add(block_[i], std::span(encoded_).subspan(i * each, each));
    records_ += static_cast<int64_t>(block_.size());
    block_.clear();
    bytes_ = 0;
  }

  // The record and its copies in other words; a copy that cannot be used is the record itself.
  void encode(int64_t i, std::span<EncodedRecord> to) const {
    const Record& record = block_[static_cast<size_t>(i)];
    to[0] = encoder_.encode(record);
    for (size_t c = 1; c < to.size(); ++c) {
      Record other = record;
      other.text = augmenter_.augment(record.text, records_ + i, static_cast<int64_t>(c) - 1);
      to[c] = encoder_.encode(other);
      if (!to[c].problem.empty()) to[c] = to[0];
    }
  }

  void add(const Record& record, std::span<const EncodedRecord> encoded) {
    const EncodedRecord& e = encoded[0];
    // Texts come in parts; what is found out about one holds for the whole.
    if (record.begins) length_ = 0;
    length_ += e.ids.size();
    if (e.problem.empty() && record.begins && record.ends && options_.labels == LabelKind::none && length_ < 2) {
      ++too_short_;
      return;
    }
    std::string problem = e.problem;
    const bool labelled = options_.labels != LabelKind::none && options_.labels != LabelKind::texts;
    if (problem.empty() && !e.nothing_left && labelled) problem = labels_.add(record.labels);
    if (!problem.empty() && !(record.begins && record.ends)) fail(ErrorKind::file, "data", "{}: {}", source_.files[record.file], problem);
    if (!problem.empty()) return bad_.add(short_name(source_.files[record.file]), record.line, problem);
    cut_ += e.cut ? 1 : 0;
    earlier_lost_ += e.earlier_answers_lost ? 1 : 0;
    nothing_left_ += e.nothing_left ? 1 : 0;
    if (e.nothing_left) return;
    collector_.append_ids(e.ids, record.ends);
    collector_.append_marks(e.scored);
    lengths_.insert(lengths_.end(), e.lengths.begin(), e.lengths.end());
    for (const EncodedRecord& copy : encoded.subspan(1)) {
      if (labelled) labels_.add(record.labels);
      lengths_.insert(lengths_.end(), copy.lengths.begin(), copy.lengths.end());
      collector_.append_ids(copy.ids, true);
    }
  }

  void warn(int64_t count, std::string_view what, SampleData& data) const {
    if (count > 0) data.warnings.push_back(fmt::format("{} of the records {}", with_commas(count), what));
  }

  const RecordSource& source_;
  const DataOptions& options_;
  Augmenter& augmenter_;
  RecordEncoder encoder_;
  LabelTable labels_;
  ThreadPool pool_;
  SampleCollector collector_;
  BadRecords bad_;
  std::vector<Record> block_;
  std::vector<EncodedRecord> encoded_;
  std::vector<float> lengths_;  // LabelKind::texts: of each text of each sample
  size_t bytes_ = 0, length_ = 0;
  int64_t records_ = 0;  // before block_
  int64_t malformed_ = 0, cut_ = 0, nothing_left_ = 0, too_short_ = 0, earlier_lost_ = 0;
};

// Samples of one or several token files.
SampleData read_token_files(const std::vector<std::string>& files, int32_t vocab_size, const std::string& folder) {
  SampleCollector collector(folder);
  TokenFileHead all;
  for (const std::string& file : files) {
    ByteStream in(ByteSource::open(file));
    TokenFileHead head = read_token_file(in, vocab_size, collector);
    if (&file != &files[0] && (head.label_width != all.label_width || head.classes != all.classes))
      fail(ErrorKind::file, "data", "{}: its labels are not those of {}; read them apart", file, files[0]);
    if (!collector.marked_alike())
      fail(ErrorKind::file, "data", "{}: it says which tokens count and {} does not, or the other way round", file, files[0]);
    head.labels.insert(head.labels.begin(), all.labels.begin(), all.labels.end());
    head.warnings.insert(head.warnings.begin(), all.warnings.begin(), all.warnings.end());
    all = std::move(head);
  }
  SampleData data = collector.finish();
  data.labels = std::move(all.labels);
  data.label_width = all.label_width;
  data.classes = std::move(all.classes);
  data.warnings = std::move(all.warnings);
  data.description = std::move(all.description);
  data.hash = all.hash;
  return data;
}

// Lengths of texts that are those of the samples they stand beside.
bool parts_texts(const SampleData& data) {
  const int64_t width = data.label_width;
  bool good = width == 2 || width == 3;
  for (int64_t i = 0; good && i < data.size(); ++i) {
    double sum = 0;
    for (int64_t k = 0; k < width; ++k) {
      const auto length = static_cast<double>(data.labels[static_cast<size_t>(i * width + k)]);
      good = good && length >= 1 && length == std::floor(length);
      sum += length;
    }
    good = good && sum == static_cast<double>(data.begins[static_cast<size_t>(i) + 1] - data.begins[static_cast<size_t>(i)]);
  }
  return good;
}

// The samples of an earlier run, unless there are none that can be trusted; why not, when that is worth telling.
std::optional<SampleData> from_cache(const std::string& file, uint64_t hash, int32_t vocab_size, const std::string& folder, std::string& trouble) {
  if (!file_exists(file)) return std::nullopt;
  try {
    SampleData data = read_token_files({file}, vocab_size, folder);
    if (data.hash == hash && data.size() > 0) return data;
    trouble = fmt::format("{} holds other data than its name says, and is made anew", file);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::file) throw;
    trouble = fmt::format("{}; it is made anew", e.what());
  }
  return std::nullopt;
}

// Where tokens lie while they are used.
std::string spill_folder(const DataOptions& options) {
  if (options.cache_folder.empty()) return std::filesystem::temp_directory_path();
  std::error_code error;
  std::filesystem::create_directories(options.cache_folder, error);
  if (error) fail(ErrorKind::runtime, "data", "cannot make the cache folder {}: {}", options.cache_folder, error.message());
  return options.cache_folder;
}

// How this tokenizer writes the end of a text.
std::string end_of_text(const Tokenizer& tokenizer) {
  const int32_t eos = tokenizer.special().eos;
  return eos < 0 ? "" : std::string(tokenizer.token_text(eos));
}

}  // namespace

Samples Samples::only(std::vector<int64_t> chosen) const {
  for (int64_t& i : chosen) i = static_cast<int64_t>(place(i));
  Samples some = *this;
  some.chosen_ = std::make_shared<const std::vector<int64_t>>(std::move(chosen));
  some.chosen_tokens_ = 0;
  for (int64_t i = 0; i < some.size(); ++i) some.chosen_tokens_ += static_cast<int64_t>(some.length(i));
  return some;
}

Samples read_samples(const DataOptions& options, const Tokenizer& tokenizer, const std::function<void(int64_t, int64_t)>& progress) {
  const std::string folder = spill_folder(options);
  const RecordSource source = find_records(options, end_of_text(tokenizer));
  if (options.augment.any() && (options.labels == LabelKind::none || source.form.form == Form::tokens))
    fail(ErrorKind::usage, "augment", "{} is {}: only labelled texts are said in other words", options.path, source.form.words);
  Augmenter augmenter(options.augment);
  const uint64_t hash = content_hash(source.files, options, tokenizer, augmenter);
  const auto ready = [&](SampleData data) {
    data.copies = options.augment.copies;
    return Samples(std::move(data));
  };
  if (source.form.form == Form::tokens) {
    SampleData data = read_token_files(source.files, tokenizer.vocab_size(), folder);
    if (data.size() == 0) fail(ErrorKind::file, "data", "{}: the shards hold no samples", options.path);
    if (options.labels != LabelKind::none && data.label_width == 0)
      fail(ErrorKind::usage, "data", "{}: the shards have no labels; make them from data that have", options.path);
    if (options.labels == LabelKind::texts && !parts_texts(data))
      fail(ErrorKind::usage, "data", "{}: the shards hold no pairs of texts; make them from data that do", options.path);
    data.description = fmt::format("{} samples, token shards of: {}", with_commas(data.size()), data.description);
    data.hash = hash;
    return Samples(std::move(data));
  }
  const bool cached = !options.cache_folder.empty();
  const std::string file = cached ? (std::filesystem::path(folder) / fmt::format("{:016x}.tokens.zst", hash)).string() : "";
  std::string trouble;
  if (cached)
    if (auto data = from_cache(file, hash, tokenizer.vocab_size(), folder, trouble)) return ready(std::move(*data));
  SampleData data = Tokenising(source, options, tokenizer, folder, augmenter).run(progress);
  data.hash = hash;
  if (cached) {
    try {
      write_token_file(file, data, tokenizer.vocab_size());
    } catch (const Error& e) {  // a full disk: this run can do without
      data.warnings.push_back(fmt::format("the tokens are not kept for the next run: {}", e.what()));
    }
  }
  if (!trouble.empty()) data.warnings.push_back(std::move(trouble));
  return ready(std::move(data));
}

std::vector<ShownPart> show_sample(const Samples& samples, int64_t i, const Tokenizer& tokenizer) {
  const auto ids = samples.ids(i);
  const auto scored = samples.scored(i);
  const bool labelled = samples.label_width() > 0;
  std::vector<ShownPart> parts;
  for (size_t begin = 0; begin < ids.size();) {
    auto counts = [&](size_t t) { return !labelled && t > 0 && (scored.empty() || scored[t] != 0); };
    size_t end = begin + 1;
    while (end < ids.size() && counts(end) == counts(begin)) ++end;
    parts.push_back({tokenizer.decode(ids.subspan(begin, end - begin)), counts(begin)});
    begin = end;
  }
  return parts;
}

}  // namespace motley
