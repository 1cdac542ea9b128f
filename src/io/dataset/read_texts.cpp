#include "io/dataset/read_texts.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace motley {

TextsRead read_texts(const DataOptions& options, std::string_view end_of_text, const std::function<void(std::string_view text)>& use,
                     const DataProgress& progress) {
  const RecordSource source = find_records(options, end_of_text);
  if (source.form.form == Form::tokens) fail(ErrorKind::usage, "data", "{} is {}, and holds no text", options.path, source.form.words);
  BadRecords bad;
  int64_t records = 0;
  const auto take = [&](Record&& record) {
    records += record.ends ? 1 : 0;
    if (!record.text.empty()) use(record.text);
    if (record.has_pair) use(record.pair);
    for (const auto& message : record.messages)
      if (auto content = message.find("content"); content != message.end() && content->is_string()) use(content->get_ref<const std::string&>());
  };
  const int64_t total = read_records(source, options, bad, take, progress);
  TextsRead out;
  out.warnings = bad.report(total);
  const char* what = source.form.form == Form::text ? "document" : "record";
  out.description = fmt::format("{} {}{}, {}", with_commas(records), what, records == 1 ? "" : "s", source.form.words);
  return out;
}

}  // namespace motley
