// modules.json, the pooling step's config.json and sentence_bert_config.json, parted by zero bytes: a way of pooling that is known, or an Error
// of kind file.
#include "io/sentence_modules.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string texts[3];
  for (std::string& text : texts) {
    const uint8_t* end = std::find(data, data + size, 0);
    text.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(end - data));
    const size_t used = std::min(size, text.size() + 1);
    data += used, size -= used;
  }
  try {
    const motley::SentenceModules s = motley::parse_sentence_modules({texts[0], texts[1], texts[2]}, "folder");
    if ((s.pooling != "mean" && s.pooling != "cls" && s.pooling != "lasttoken") || s.max_tokens < 0) std::abort();
    if (motley::pooling_folder(texts[0], "folder").find_first_of("/.") != std::string::npos) std::abort();
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}
