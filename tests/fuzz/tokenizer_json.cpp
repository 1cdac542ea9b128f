// Any bytes as a tokenizer.json: read and used, or refused with an Error of kind file. What it encodes it must also decode, and nothing
// it holds may make a short text cost more than bounded time and memory.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/tokenizer.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto tokenizer = motley::Tokenizer::from_tokenizer_json({reinterpret_cast<const char*>(data), size}, "input");
    const std::string texts[] = {"Hello  world, it's 2024!\n\n\tA\xC3\xA9 \xE4\xB8\x96\xE7\x95\x8C <s></s> e\xCC\x81", std::string(300, 'a'),
                                 std::string(reinterpret_cast<const char*>(data), size < 200 ? size : 200)};
    for (const std::string& text : texts)
      for (bool special : {false, true}) {
        std::vector<int32_t> ids = tokenizer->encode(text, {.add_special = special, .parse_special = special});
        for (int32_t id : ids) tokenizer->token_bytes(id);
        tokenizer->decode(ids, {.skip_special = special});
        motley::StreamDecoder stream(tokenizer);
        for (int32_t id : ids) stream.put(id);
        stream.finish();
      }
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}
