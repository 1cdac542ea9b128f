// Any bytes as a SentencePiece tokenizer.model: read and used, or refused with an Error of kind file.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto tokenizer = motley::Tokenizer::from_sentencepiece({reinterpret_cast<const char*>(data), size}, "input");
    const std::string texts[] = {"Hello  world\n\xC3\xA9 \xE4\xB8\x96\xE7\x95\x8C <s>", std::string(200, 'a'),
                                 std::string(reinterpret_cast<const char*>(data), size < 200 ? size : 200)};
    for (const std::string& text : texts) {
      std::vector<int32_t> ids = tokenizer->encode(text, {.parse_special = true});
      for (int32_t id : ids) tokenizer->token_bytes(id);
      tokenizer->decode(ids);
      motley::StreamDecoder stream(tokenizer, {.skip_special = true});
      for (int32_t id : ids) stream.put(id);
      stream.finish();
    }
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}
