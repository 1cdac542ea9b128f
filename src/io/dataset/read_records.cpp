#include "io/dataset/read_records.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "io/dataset/conversation.h"
#include "io/dataset/csv.h"
#include "io/dataset/data_files.h"
#include "io/dataset/json_elements.h"
#include "io/ordered_json.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

// A value of JSON takes many times the memory of the two bytes it may be written with.
constexpr std::ptrdiff_t kMostJsonValues = 1'000'000;

// One reading of all files.
struct Reading {
  const RecordSource& source;
  const DataOptions& options;
  BadRecords& bad;
  const std::function<void(Record&&)>& take;
  const DataProgress& progress;
  int64_t total = 0, bytes_before = 0, all_bytes = 0;
  size_t file = 0;

  void skip(int64_t line, std::string_view why, int64_t lines = 1) {
    bad.add(short_name(source.files[file]), line, why, lines);
    total += lines;
  }

  void give(Record&& record) {
    record.file = file;
    if (!source.classes.empty()) record.labels = {source.classes[file]};
    if (record.ends) ++total;
    take(std::move(record));
  }

  void step(const ByteStream& in) {
    if (progress) progress(bytes_before + static_cast<int64_t>(in.consumed()), all_bytes);
  }

  void read_text(ByteStream& in) {
    const FileForm& f = source.form;
    Documents documents(in, source.classes.empty() ? f.split : Split::none, f.marker);
    for (Record r; documents.next(r); step(in)) give(std::move(r));
  }

  // The label's field as a list of labels.
  std::vector<std::string> labels_of(std::string_view field) const {
    if (options.labels != LabelKind::several) return {std::string(trim(field))};
    std::vector<std::string> out;
    for (size_t begin = 0; begin <= field.size();) {
      const size_t end = std::min(field.find(options.label_separator, begin), field.size());
      if (auto one = trim(field.substr(begin, end - begin)); !one.empty()) out.emplace_back(one);
      begin = end + std::max<size_t>(options.label_separator.size(), 1);
    }
    return out;
  }

  void finish_row(Record&& record, int64_t line) {
    record.line = line;
    if (trim(record.text).empty()) return skip(line, "the text is empty");
    if (options.labels == LabelKind::texts) {
      if (trim(record.pair).empty()) return skip(line, fmt::format("'{}' is empty or missing", source.form.columns.pair));
      if (!source.form.columns.negative.empty() && trim(record.negative).empty())
        return skip(line, fmt::format("'{}' is empty or missing", source.form.columns.negative));
      return give(std::move(record));
    }
    const bool needs_label = options.labels != LabelKind::none && options.labels != LabelKind::several;
    if (needs_label && (record.labels.size() != 1 || record.labels[0].empty())) return skip(line, "the label is missing");
    give(std::move(record));
  }

  void read_table(ByteStream& in, char separator) {
    CsvReader rows(in, separator);
    CsvRow row;
    if (!rows.next(row)) return;
    const std::vector<std::string> names = row.fields;
    auto place = [&](const std::string& name) {
      auto it = std::ranges::find(names, name);
      if (it == names.end() && !name.empty())
        fail(ErrorKind::file, "data", "{}: there is no column '{}', which the other files have", source.files[file], printable(name));
      return static_cast<size_t>(it - names.begin());
    };
    const Columns& c = source.form.columns;
    const size_t text = place(c.text), pair = place(c.pair), negative = place(c.negative), label = place(c.label);
    for (; rows.next(row); step(in)) {
      if (row.problem.empty() && row.fields.size() != names.size())
        row.problem = fmt::format("it has {} fields, the first line names {} columns", row.fields.size(), names.size());
      if (!row.problem.empty()) {
        skip(row.line, row.problem, row.lines);
        continue;
      }
      Record r;
      if (!c.label.empty()) r.labels = labels_of(row.fields[label]);
      r.has_pair = !c.pair.empty();
      if (r.has_pair) r.pair = std::move(row.fields[pair]);
      if (!c.negative.empty()) r.negative = std::move(row.fields[negative]);
      r.text = std::move(row.fields[text]);
      finish_row(std::move(r), row.line);
    }
  }

  static std::string as_text(const OrderedJson& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump(); }

  std::string fill(const OrderedJson& json, Record& record) const {
    if (source.form.form == Form::alpaca) return read_alpaca(json, record);
    if (source.form.form == Form::sharegpt) return read_sharegpt(json, record);
    if (source.form.form == Form::messages) return read_messages(json, record);
    const Columns& c = source.form.columns;
    auto text = json.find(c.text);
    if (text == json.end() || !text->is_string())
      return fmt::format("'{}' is {}, expected a text", c.text, text == json.end() ? "missing" : text->type_name());
    record.text = text->get<std::string>();
    if (auto pair = json.find(c.pair); !c.pair.empty() && pair != json.end() && pair->is_string()) {
      record.has_pair = true;
      record.pair = pair->get<std::string>();
    }
    if (auto negative = json.find(c.negative); !c.negative.empty() && negative != json.end() && negative->is_string())
      record.negative = negative->get<std::string>();
    auto label = c.label.empty() ? json.end() : json.find(c.label);
    if (label == json.end()) return "";
    if (label->is_array()) {
      for (const OrderedJson& one : *label) record.labels.push_back(as_text(one));
    } else {
      record.labels = labels_of(as_text(*label));
    }
    return "";
  }

  void read_json(ByteStream& in) {
    JsonElements elements(in);
    JsonElement e;
    for (; elements.next(e); step(in)) {
      Record record;
      std::string problem = e.problem;
      const auto values = std::ranges::count_if(e.text, [](char c) { return c == ',' || c == '[' || c == '{'; });
      if (problem.empty() && values > kMostJsonValues) problem = fmt::format("it may hold more than {} values", kMostJsonValues);
      if (problem.empty() && e.text.find('\0') != std::string::npos) problem = "it holds a zero byte";
      if (problem.empty()) {
        try {
          const OrderedJson json = parse_ordered_json(e.text, "it");
          problem = json.is_object() ? fill(json, record) : fmt::format("it is {}, expected an object", json.type_name());
        } catch (const Error& error) {
          const std::string_view words = error.what();
          problem = words.substr(std::min(words.find("] ") + 2, words.size()));
        }
      }
      if (!problem.empty()) {
        skip(e.line, problem);
      } else if (source.form.form == Form::rows) {
        finish_row(std::move(record), e.line);
      } else {
        record.line = e.line;
        give(std::move(record));
      }
    }
  }
};

}  // namespace

std::string short_name(const std::string& file) { return file.substr(file.rfind('/') + 1); }

RecordSource find_records(const DataOptions& options, std::string_view end_of_text) {
  RecordSource source;
  if (options.format == "auto" || options.format == "folders") {
    const auto folders = find_class_folders(options.path, options.part);
    for (const auto& [name, files] : folders)
      for (const std::string& file : files) {
        source.files.push_back(file);
        source.classes.push_back(name);
      }
    if (!source.files.empty()) {
      source.form.words = "texts in a folder per class";
      return source;
    }
    if (options.format == "folders")
      fail(ErrorKind::file, "data", "{} holds no two folders of .txt files (a folder per class, as aclImdb/train/pos and neg)", options.path);
  }
  source.files = find_data_files(options.path);
  for (const std::string& file : source.files) {
    FileForm form = detect(file, options, end_of_text);
    if (&file == &source.files[0]) {
      source.form = std::move(form);
    } else if (form.form != source.form.form) {
      fail(ErrorKind::file, "data", "{} is {}, but {} is {}; read them apart, or say what they are with --format", source.files[0], source.form.words,
           file, form.words);
    }
  }
  return source;
}

int64_t read_records(const RecordSource& source, const DataOptions& options, BadRecords& bad, const std::function<void(Record&&)>& take,
                     const DataProgress& progress) {
  Reading reading{source, options, bad, take, progress};
  for (const std::string& file : source.files) reading.all_bytes += static_cast<int64_t>(ByteSource::open(file).size());
  for (; reading.file < source.files.size(); ++reading.file) {
    ByteStream in(ByteSource::open(source.files[reading.file]));
    switch (source.form.form) {
      case Form::text:
        reading.read_text(in);
        break;
      case Form::csv:
      case Form::tsv:
        reading.read_table(in, source.form.form == Form::csv ? ',' : '\t');
        break;
      default:
        reading.read_json(in);
    }
    reading.bytes_before += static_cast<int64_t>(in.size());
  }
  return reading.total;
}

}  // namespace motley
