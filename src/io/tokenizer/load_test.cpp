// Folders and their companions, and files that are damaged or mean harm.
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/ggml_vocabulary.h"
#include "io/tokenizer/pipeline.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/tokenizer_test_support.h"

namespace motley {
namespace {

using test::expect_refused;
using test::TemporaryFolder;
using Ids = std::vector<int32_t>;

constexpr const char* kVocab = R"({"a":0,"b":1,"ab":2,"Ġ":3,"<|end|>":4,"<s>":5})";
constexpr const char* kMerges = "#version: 0.2\na b\n";

std::string tokenizer_json(const std::string& model, const std::string& more = "") {
  return R"({"added_tokens":[{"id":5,"content":"<s>","special":true}],"model":)" + model + more + "}";
}
const std::string kBpe = std::string(R"({"type":"BPE","vocab":)") + kVocab + R"(,"merges":["a b"]})";

void load(const std::string& json) { Tokenizer::from_tokenizer_json(json, "file")->encode(" ab ba ", {.parse_special = true}); }

TEST(Folder, VocabularyAndMergesWithCompanions) {
  TemporaryFolder folder;
  folder.write("vocab.json", kVocab);
  folder.write("merges.txt", kMerges);
  folder.write("tokenizer_config.json",
               R"({"add_bos_token":true,"bos_token":{"content":"<s>"},"eos_token":"<|end|>","tokenizer_class":"GPT2Tokenizer",
    "added_tokens_decoder":{"6":{"content":"<tool>","special":false},"7":{"content":"<|im_end|>","special":true}},
    "chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]})");
  folder.write("generation_config.json", R"({"eos_token_id":[4,2]})");
  auto t = Tokenizer::load(folder.path());
  EXPECT_EQ(t->encode("ab a<tool><|im_end|>", {.parse_special = true}), (Ids{5, 2, 3, 0, 6, 7}));
  EXPECT_EQ(t->special().bos, 5);
  EXPECT_EQ(t->special().eos, 4);
  EXPECT_EQ(Ids(t->end_of_generation().begin(), t->end_of_generation().end()), (Ids{2, 4, 7}));
  EXPECT_EQ(t->chat_template(), "D");
  EXPECT_EQ(t->chat_template("tool_use"), "T");
  EXPECT_EQ(t->chat_template("rag"), std::nullopt);
  EXPECT_FALSE(t->is_special(6));
  EXPECT_TRUE(t->is_special(7));
  EXPECT_TRUE(t->warnings().empty());
}

TEST(Folder, ATemplateFileStandsAboveTheConfiguration) {
  TemporaryFolder folder;
  folder.write("tokenizer.json", tokenizer_json(kBpe));
  folder.write("tokenizer_config.json", R"({"chat_template":"from the configuration","eos_token":"<|end|>"})");
  EXPECT_EQ(Tokenizer::load(folder.path())->chat_template(), "from the configuration");
  folder.write("chat_template.jinja", "from the file");
  folder.write("additional_chat_templates/rag.jinja", "R");
  auto t = Tokenizer::load(folder.path() + "/tokenizer.json");
  EXPECT_EQ(t->chat_template(), "from the file");
  EXPECT_EQ(t->chat_template("rag"), "R");
  EXPECT_EQ(t->special().eos, 4);
}

TEST(Folder, WordsOfBert) {
  TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##s\nworld\n");
  auto t = Tokenizer::load(folder.path());
  EXPECT_EQ(t->encode("Hellos, world"), (Ids{2, 4, 5, 1, 6, 3}));
  EXPECT_EQ(t->decode(Ids{4, 5, 6}), "hellos world");
}

TEST(Folder, TiktokenUnderTheNameOfSentencePiece) {
  // Meta's first Llama 3 files: recognised by their lines, and refused by their number of ranks.
  TemporaryFolder folder;
  folder.write("tokenizer.model", "YQ== 0\nYg== 1\nYWI= 2\n");
  expect_refused([&] { Tokenizer::load(folder.path()); }, {"3 ranks belong to none of the known tiktoken vocabularies", "tokenizer.json"});
}

TEST(Folder, SaysWhatItLookedFor) {
  TemporaryFolder folder;
  expect_refused([&] { Tokenizer::load(folder.path()); }, {"has no tokenizer", "tokenizer.json"});
  expect_refused([&] { Tokenizer::load(folder / "absent"); }, {"does not exist"});
  expect_refused([&] { Tokenizer::load(folder.write("x.doc", "")); }, {"expected tokenizer.json"});
}

TEST(Llama2c, ReadsItsOwnTokenizer) {
  test::Bytes bytes;
  bytes.u32(6);
  for (auto [text, score] : {std::pair("<unk>", 0.f), std::pair("\n<s>\n", 0.f), std::pair("\n</s>\n", 0.f), std::pair(" ", -5.f),
                             std::pair("a", -4.f), std::pair(" a", -1.f)})
    bytes.put(score).u32(std::string_view(text).size()).raw(text);
  TemporaryFolder folder;
  auto t = Tokenizer::load(folder.write("tokenizer.bin", bytes.text()));
  EXPECT_EQ(t->encode("a a"), (Ids{1, 5, 5}));
  EXPECT_EQ(t->decode(Ids{1, 5, 5}, {.skip_special = true}), "a a");
  expect_refused([&] { Tokenizer::load(folder.write("cut.bin", bytes.text().substr(0, 30))); }, {"cut.bin"});
  expect_refused([&] { Tokenizer::load(folder.write("long.bin", test::Bytes().u32(4).put(0.f).u32(1u << 31).raw("abc").text())); },
                 {"length 2147483648"});
}

// "0" and "00" are as likely as "00" and "0"; the `tokenizers` package finds the first likelier, since it rounds a score twice as it reads it.
TEST(UnigramScores, AreReadAsThePackageReadsThem) {
  auto tokenizer = Tokenizer::from_tokenizer_json(
      R"({"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},"model":{"type":"Unigram","unk_id":0,"vocab":[
        ["<unk>",0.0],[",",-3.3268242764046985],["▁",-5.543460750636995],["1",-10.20340919996576],["0",-10.780477085921968],
        ["00",-11.0799259219004],["5",-11.884975791633666],["▁15",-12.922716872788959]]}})",
      "tokenizer.json");
  EXPECT_EQ(tokenizer->encode("15,000"), (std::vector<int32_t>{7, 1, 4, 5}));
  auto score_of = [](const std::string& number) {
    return Tokenizer::from_tokenizer_json(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",)" + number + "]]}}", number)
        ->vocabulary()
        .score(1);
  };
  EXPECT_EQ(score_of("-3.6677842630280253"), -3.6677842630280257);
  EXPECT_EQ(score_of("-7.4815583414648135"), -7.481558341464813);
  EXPECT_EQ(score_of("-2.5"), -2.5);
  EXPECT_EQ(score_of("1.5e-3"), 0.0015);
  EXPECT_EQ(score_of("25E+2"), 2500);
  EXPECT_EQ(score_of("-123456789012345678901234567890.25"), -1.2345678901234568e29);
  EXPECT_EQ(score_of("0.1e-400"), 0);
  EXPECT_THROW(score_of("1.0e300000000000"), Error);
}

TEST(HostileTokenizerJson, NamesTheField) {
  expect_refused([] { load("{"); }, {"file", "byte"});
  expect_refused([] { load("[]"); }, {"an object with 'model'"});
  expect_refused([] { load(R"({"model":7})"); }, {"model", "number"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":0,"a":1},"merges":[]})")); }, {"model.vocab", "'a' appears twice"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":-1},"merges":[]})")); }, {"'a' has id -1"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":2147483647},"merges":[]})")); }, {"'a' has id 2147483647"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":16000000},"merges":[]})")); }, {"ids up to 16000000"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":1e99},"merges":[]})")); }, {"model.vocab: entry 0"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":"b"},"merges":[]})")); }, {"model.vocab: entry 0"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":{"a":1}},"merges":[]})")); }, {"model.vocab: entry 0"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":[["a",1]],"merges":[]})")); }, {"expected an object from token to id"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":0},"merges":["a a"]})")); },
                 {"model.merges", "merge 0 joins 'a' and 'a'", "'aa' is not in"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":0},"merges":["a"]})")); }, {"model.merges: entry 0"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":0},"merges":[["a"]]})")); }, {"model.merges: entry 0"});
  expect_refused([] { load(tokenizer_json(R"({"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1})")); }, {"dropout is 0.1"});
  expect_refused([] { load(tokenizer_json(R"({"type":"Unigram","vocab":[["a",1e999]]})")); }, {"file"});
  expect_refused([] { load(tokenizer_json(R"({"type":"Unigram","vocab":[["a",-1]],"unk_id":5})")); }, {"unk_id 5"});
  expect_refused([] { load(tokenizer_json(R"({"type":"Unigram","vocab":[["a",-1]]})")); }, {"no unknown token"});
  expect_refused([] { load(tokenizer_json(R"({"type":"Unigram","vocab":{"a":1}})")); }, {"a list of [token, score]"});
  expect_refused([] { load(tokenizer_json(R"({"type":"Magic","vocab":{"a":1}})")); }, {"'Magic' is not known"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"normalizer":{"type":"Magic"})")); }, {"normalizer", "'Magic'"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"normalizer":{"type":"Replace","pattern":{"Regex":"("},"content":""})")); },
                 {"normalizer.Replace", "'('"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA////"})")); },
                 {"normalizer.Precompiled"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Odd"})")); },
                 {"behavior 'Odd'"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"pre_tokenizer":{"type":"Metaspace","replacement":""})")); },
                 {"'replacement' should be one character"});
  expect_refused([] { load(tokenizer_json(kBpe, R"(,"decoder":{"type":"Strip","content":"","start":1,"stop":1})")); },
                 {"decoder.Strip", "one character"});
  expect_refused(
      [] {
        load(tokenizer_json(kBpe, R"(,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]"}}],"special_tokens":{}})"));
      },
      {"'[X]' is not in 'special_tokens'"});
  expect_refused([] { load(R"({"added_tokens":[{"id":-4,"content":"x"}],"model":)" + kBpe + "}"); }, {"id -4"});
  expect_refused([] { load(R"({"added_tokens":[{"id":9,"content":")" + std::string(5000, 'x') + R"("}],"model":)" + kBpe + "}"); }, {"5000 bytes"});
}

TEST(HostileTokenizerJson, DepthAndSizeAreBounded) {
  std::string nested, closing;
  for (int i = 0; i < 100000; ++i) nested += R"({"type":"Sequence","normalizers":[)", closing += "]}";
  nested += closing;
  expect_refused([&] { load(tokenizer_json(kBpe, R"(,"normalizer":)" + nested)); }, {"nested deeper than 64"});
  std::string steps = R"({"type":"Lowercase"})";
  for (int i = 0; i < 1000; ++i) steps += R"(,{"type":"Lowercase"})";
  expect_refused([&] { load(tokenizer_json(kBpe, R"(,"normalizer":{"type":"Sequence","normalizers":[)" + steps + "]}")); }, {"more than 64 steps"});
  std::string doubling = R"({"type":"Replace","pattern":{"String":"a"},"content":")" + std::string(1000, 'a') + "\"}";
  expect_refused(
      [&] { load(tokenizer_json(kBpe, R"(,"normalizer":{"type":"Sequence","normalizers":[)" + doubling + "," + doubling + "," + doubling + "]}")); },
      {"the text longer"});
  std::string growing = R"({"type":"ByteLevel","use_regex":false})";
  for (int i = 0; i < 40; ++i) growing += R"(,{"type":"ByteLevel","use_regex":false})";
  std::string json = tokenizer_json(kBpe, R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + growing + "]}");
  expect_refused([&] { load(json); }, {"the text longer"});
}

TEST(HostileSentencePiece, NamesTheOffset) {
  auto refuse = [](const std::string& bytes, std::initializer_list<std::string_view> parts) {
    expect_refused([&] { Tokenizer::from_sentencepiece(bytes, "file")->encode("a b"); }, parts);
  };
  auto piece = [](const std::string& text, uint8_t type = 1) {
    std::string message = "\x0A" + std::string(1, static_cast<char>(text.size())) + text + "\x18" + std::string(1, static_cast<char>(type));
    return "\x0A" + std::string(1, static_cast<char>(message.size())) + message;
  };
  refuse("", {"has no pieces"});
  refuse("\x0A\xFF\xFF\xFF\xFF\x0F", {"longer than what remains at byte 6"});
  refuse(std::string("\x0A\x05\x0A\x7F", 4), {"byte"});
  refuse("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", {"more than 64 bits"});
  refuse(piece("a", 9), {"piece 0 'a' has type 9"});
  refuse(piece(""), {"piece 0 is empty"});
  refuse(std::string("\x0A\x08\x0A\x01\x61\x15\x00\x00\xC0\x7F", 10), {"score of piece 0 is not finite"});
  refuse(piece("a") + std::string("\x12\x02\x18\x04", 4), {"model_type is 4"});
  refuse(piece("a") + std::string("\x1A\x06\x12\x04\xFF\xFF\xFF\xFF", 8), {"character map"});
  refuse(piece("<unk>", 2) + piece("<s>", 3) + std::string("\x12\x02\x18\x03", 4), {"model_type is 3"});
}

TEST(HostileGguf, ListsMustFitTogether) {
  GgmlVocabulary good;
  good.model = "gpt2";
  good.pre = "gpt-2";
  good.tokens = {"a", "b", "ab", "<e>"};
  good.types = {1, 1, 1, 3};
  good.merges = {"a b", "x y"};  // a pair of unknown tokens is passed over, as other readers do
  good.special.eos = 3;
  good.special.bos = 77;
  auto make = [](const GgmlVocabulary& v) { return Tokenizer(make_ggml_pipeline(v, "file")).encode("ab"); };
  EXPECT_EQ(make(good), Ids{2});
  auto refuse = [&](auto change, std::initializer_list<std::string_view> parts) {
    GgmlVocabulary bad = good;
    change(bad);
    expect_refused([&] { make(bad); }, parts);
  };
  refuse([](GgmlVocabulary& v) { v.model = "rwkv"; }, {"tokenizer.ggml.model is 'rwkv'"});
  refuse([](GgmlVocabulary& v) { v.pre = "unheard-of"; }, {"'unheard-of'"});
  refuse([](GgmlVocabulary& v) { v.types.pop_back(); }, {"tokenizer.ggml.token_type has 3 entries", "4 tokens"});
  refuse([](GgmlVocabulary& v) { v.types[0] = 9; }, {"token_type[0] is 9"});
  refuse([](GgmlVocabulary& v) { v.scores = {1}; }, {"tokenizer.ggml.scores has 1 entries"});
  refuse([](GgmlVocabulary& v) { v.merges = {"ab"}; }, {"tokenizer.ggml.merges: 'ab'"});
  refuse([](GgmlVocabulary& v) { v.model = "bert"; }, {"unknown_token_id"});
  refuse([](GgmlVocabulary& v) { v.model = "llama", v.scores = {0, 0, 0, NAN}; }, {"score of piece 3 is not finite"});
}

TEST(Gguf, Phi3ControlTokensTakeTheWhiteSpaceBehindThem) {
  GgmlVocabulary v;
  v.model = "llama";
  v.tokens = {"<unk>", "<s>", "<|user|>", "\xE2\x96\x81", "a", "<0x0A>"};
  v.types = {2, 3, 3, 1, 1, 6};
  v.scores = {0, 0, 0, -1, -2, 0};
  v.special.unk = 0;
  v.family = "llama";
  EXPECT_EQ(Tokenizer(make_ggml_pipeline(v, "file")).encode("<|user|>\na", {.parse_special = true}), (Ids{2, 3, 5, 4}));
  v.family = "phi3";
  EXPECT_EQ(Tokenizer(make_ggml_pipeline(v, "file")).encode("<|user|>\na", {.parse_special = true}), (Ids{2, 3, 4}));
}

TEST(Base64, Decodes) {
  EXPECT_EQ(tok::decode_base64("aGVsbG8="), "hello");
  EXPECT_EQ(tok::decode_base64("aGVsbG8"), "hello");
  EXPECT_EQ(tok::decode_base64(""), "");
  EXPECT_EQ(tok::decode_base64("a"), std::nullopt);
  EXPECT_EQ(tok::decode_base64("a*=="), std::nullopt);
}

}  // namespace
}  // namespace motley
