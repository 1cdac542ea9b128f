#include "io/dataset/detect.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "io/dataset/csv.h"
#include "io/dataset/data_files.h"
#include "io/dataset/json_elements.h"
#include "io/dataset/record.h"
#include "io/dataset/token_file.h"
#include "io/ordered_json.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int kSampled = 100;
constexpr size_t kLookedAt = 256 << 10;
// Empty lines between paragraphs of one running text are no ends of documents; what stands between two of them is then short.
constexpr double kShortDocument = 512;

constexpr std::array<std::pair<std::string_view, Form>, 9> kFormats = {{{"text", Form::text},
                                                                        {"jsonl", Form::rows},
                                                                        {"alpaca", Form::alpaca},
                                                                        {"sharegpt", Form::sharegpt},
                                                                        {"messages", Form::messages},
                                                                        {"csv", Form::csv},
                                                                        {"tsv", Form::tsv},
                                                                        {"folders", Form::text},
                                                                        {"tokens", Form::tokens}}};

std::optional<Form> wanted_form(const DataOptions& options) {
  if (options.format == "auto") return std::nullopt;
  std::vector<std::string_view> names{"auto"};
  for (auto [name, form] : kFormats) {
    if (name == options.format) return form;
    names.push_back(name);
  }
  auto meant = nearest(options.format, names);
  std::string all;
  for (std::string_view n : names) all += (all.empty() ? "" : ", ") + std::string(n);
  fail(ErrorKind::usage, "data", "there is no format '{}'{}; there are: {}", printable(options.format),
       meant ? fmt::format(" (did you mean {}?)", *meant) : "", all);
}

ByteStream open(const std::string& file) { return ByteStream(ByteSource::open(file)); }

std::string beginning(const std::string& file) {
  ByteStream in = open(file);
  skip_byte_order_mark(in);
  std::string out;
  for (std::string_view bytes = in.ahead(); !bytes.empty() && out.size() < kLookedAt; bytes = in.ahead()) {
    out += bytes;
    in.skip(bytes.size());
  }
  return out;
}

// The keys of the first records, in the order in which they are first met; nothing when not one is a JSON object.
std::vector<std::string> json_keys(const std::string& file) {
  ByteStream in = open(file);
  JsonElements elements(in);
  std::vector<std::string> keys;
  JsonElement e;
  for (int i = 0; i < kSampled && elements.next(e); ++i) {
    if (!e.problem.empty()) continue;
    try {
      const OrderedJson json = parse_ordered_json(e.text, file);
      if (!json.is_object()) continue;
      for (const auto& item : json.items())
        if (keys.size() < 200 && std::ranges::find(keys, item.key()) == keys.end()) keys.push_back(item.key());
    } catch (const Error&) {  // a bad record; reading reports it with its line
    }
  }
  return keys;
}

std::vector<std::string> header(const std::string& file, char separator) {
  ByteStream in = open(file);
  CsvReader rows(in, separator);
  CsvRow row;
  return rows.next(row) && row.problem.empty() ? row.fields : std::vector<std::string>();
}

// Whether the file reads as a table: several columns, a name among them that we know, and rows that have as many.
bool is_table(const std::string& file, char separator) {
  const auto names = header(file, separator);
  if (names.size() < 2 || !has_text_column(names)) return false;
  ByteStream in = open(file);
  CsvReader rows(in, separator);
  int seen = 0, fitting = 0;
  for (CsvRow row; seen < kSampled && rows.next(row); ++seen)
    if (row.problem.empty() && row.fields.size() == names.size()) ++fitting;
  return fitting > 1 && fitting * 10 >= seen * 9;
}

Form form_of_json(const std::vector<std::string>& keys) {
  auto has = [&](std::string_view k) { return std::ranges::find(keys, k) != keys.end(); };
  if (has("messages")) return Form::messages;
  if (has("conversations")) return Form::sharegpt;
  if (has("instruction") && has("output")) return Form::alpaca;
  return Form::rows;
}

// The file's form where it is not plain text.
std::optional<Form> other_form(const std::string& file, const std::string& text) {
  if (is_token_file(text)) return Form::tokens;
  const std::string extension = data_extension(file);
  if (extension == "csv") return Form::csv;
  if (extension == "tsv") return Form::tsv;
  const std::string_view content = trim(text);
  const bool json = extension == "jsonl" || extension == "ndjson" || extension == "json";
  if (json || content.starts_with('{') || content.starts_with('['))
    if (auto keys = json_keys(file); json || !keys.empty()) return form_of_json(keys);
  if (extension.empty() && is_table(file, '\t')) return Form::tsv;
  if (extension.empty() && is_table(file, ',')) return Form::csv;
  return std::nullopt;
}

Form guess(const std::string& file, const std::string& text) {
  if (auto form = other_form(file, text)) return *form;
  if (size_t zero = text.find('\0'); zero != text.npos)
    fail(ErrorKind::file, "data", "{} is no text: byte {} is zero; say what it is with --format", file, zero);
  return Form::text;
}

// How often, and how far apart, empty lines stand in the beginning of a text.
double mean_document(const std::string& text) {
  size_t documents = 0;
  bool within = false;
  for (std::string_view line : split(text, '\n')) {
    const bool blank = trim(line).empty();
    if (!blank && !within) ++documents;
    within = !blank;
  }
  return documents == 0 ? 0 : static_cast<double>(text.size()) / static_cast<double>(documents);
}

void choose_split(const DataOptions& options, const std::string& text, std::string_view end_of_text, FileForm& form) {
  form.words = "plain text";
  if (options.split == "none" || options.split == "line" || options.split == "blank") {
    form.split = options.split == "none" ? Split::none : options.split == "line" ? Split::line : Split::blank;
  } else if (options.split != "auto") {
    form.split = Split::marker;
    form.marker = options.split;
  } else {
    for (std::string_view marker : {end_of_text, std::string_view("<|endoftext|>"), std::string_view("<|end_of_text|>"), std::string_view("</s>")})
      if (!marker.empty() && text.find(marker) != text.npos) {
        form.split = Split::marker;
        form.marker = marker;
        break;
      }
    const double mean = mean_document(text);
    if (form.split != Split::marker && mean >= kShortDocument && mean < static_cast<double>(text.size())) form.split = Split::blank;
    if (form.split == Split::none && mean > 0 && mean < kShortDocument && text.size() > 4 * static_cast<size_t>(kShortDocument))
      form.words += fmt::format(" taken whole: its paragraphs have {:.0f} bytes, too short for documents", mean);
  }
  if (form.split == Split::marker) form.words += fmt::format(", documents between {}", printable(form.marker, 40));
  if (form.split == Split::blank) form.words += ", documents between empty lines";
  if (form.split == Split::line) form.words += ", a document on each line";
}

std::string columns_in_words(const Columns& c) {
  std::string out = printable(c.text, 40);
  if (!c.pair.empty()) out += " and " + printable(c.pair, 40);
  if (!c.negative.empty()) out += " and not " + printable(c.negative, 40);
  if (!c.label.empty()) out += fmt::format(", label {}", printable(c.label, 40));
  return out;
}

}  // namespace

FileForm detect(const std::string& file, const DataOptions& options, std::string_view end_of_text) {
  const std::optional<Form> wanted = wanted_form(options);
  const std::string text = beginning(file);
  if (trim(text).empty()) fail(ErrorKind::file, "data", "{} is empty: there is nothing to read", file);
  FileForm f;
  f.form = wanted ? *wanted : guess(file, text);
  std::string packing(open(file).packing());
  const bool array = trim(text).starts_with('[');
  const char* json = array ? "JSON list" : "JSONL";
  switch (f.form) {
    case Form::text:
      choose_split(options, text, end_of_text, f);
      break;
    case Form::alpaca:
      f.words = fmt::format("{} of alpaca instructions", json);
      break;
    case Form::sharegpt:
      f.words = fmt::format("{} of sharegpt conversations", json);
      break;
    case Form::messages:
      f.words = fmt::format("{} of OpenAI messages", json);
      break;
    case Form::tokens:
      f.words = "token shards";
      break;
    case Form::rows:
    case Form::csv:
    case Form::tsv: {
      const auto names = f.form == Form::rows ? json_keys(file) : header(file, f.form == Form::csv ? ',' : '\t');
      if (names.empty())
        fail(ErrorKind::file, "data", "{}: {}", file,
             f.form == Form::rows ? "no JSON object is among its first records" : "its first line names no columns");
      f.columns = find_columns(options, names, file);
      f.words = fmt::format("{} of {}", f.form == Form::rows ? json : f.form == Form::csv ? "CSV" : "TSV", columns_in_words(f.columns));
      break;
    }
  }
  const bool labelled = options.labels != LabelKind::none && options.format != "folders";
  if (labelled && (f.form == Form::text || f.form == Form::alpaca || f.form == Form::sharegpt || f.form == Form::messages))
    fail(ErrorKind::usage, "data", "{} is {} and has no {}", file, f.words,
         options.labels == LabelKind::texts ? "columns for two texts; pairs come in columns of CSV, TSV or JSONL"
                                            : "label column; labels come in columns of CSV, TSV or JSONL, or as a folder per class");
  if (!packing.empty()) f.words += fmt::format(" ({})", packing);
  return f;
}

}  // namespace motley
