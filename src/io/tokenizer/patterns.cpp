#include "io/tokenizer/patterns.h"

#include <algorithm>
#include <array>

namespace motley::tok {

const std::string_view kGpt2Pattern = R"re('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)re";
const std::string_view kLlama3Pattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
const std::string_view kQwen2Pattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
const std::string_view kCl100kPattern = kLlama3Pattern;
const std::string_view kO200kPattern =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
    R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
    R"re(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

namespace {

constexpr std::string_view kEachDigit = R"re(\p{N})re";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kEastAsian = R"re([\x{4e00}-\x{9fa5}\x{0800}-\x{4e00}\x{ac00}-\x{d7ff}]+)re";
constexpr std::string_view kFalconPunctuation = R"re([\p{P}\$\+<=>\^~\|`]+)re";
constexpr std::string_view kDefaultPunctuation = R"re([\p{P}\$\+<=>\^\~\|]+)re";
constexpr std::string_view kBloom = R"re( ?[^(\s|.,!?…。，、।۔،)]+)re";
constexpr std::string_view kTekken =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
    R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kQwen35Pattern =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kDeepSeekV3Words =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kSeedCoder =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{L}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)re";

const std::vector<PrePattern>& table() {
  static const std::vector<PrePattern> patterns = [] {
    const std::vector<std::string_view> gpt2{kGpt2Pattern}, llama3{kLlama3Pattern}, qwen2{kQwen2Pattern}, starcoder{kEachDigit, kGpt2Pattern};
    std::vector<PrePattern> t;
    t.push_back({"gpt-2", gpt2});
    for (const char* name : {"gpt2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "mpt", "olmo",
                             "jais", "trillion", "granite-docling", "modern-bert", "roberta-bpe", "jina-v1-en", "jina-v2-code"})
      t.push_back({name, gpt2});
    t.push_back({"llama-bpe", llama3, true, true});
    for (const char* name : {"llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"}) t.push_back({name, llama3, true, true});
    t.push_back({"dbrx", llama3});
    for (const char* name : {"smaug-bpe", "chatglm-bpe", "glm4", "grok-2"}) t.push_back({name, llama3});
    t.push_back({"qwen2", qwen2});
    for (const char* name : {"stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan", "hunyuan-dense", "kormo"}) t.push_back({name, qwen2});
    t.push_back({"qwen35", {kQwen35Pattern}});
    t.push_back({"starcoder", starcoder});
    for (const char* name : {"refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"}) t.push_back({name, starcoder});
    t.push_back({"gpt-4o", {kO200kPattern}});
    t.push_back({"llama4", {kO200kPattern}});
    t.push_back({"tekken", {kTekken}, true});
    t.push_back({"falcon", {kFalconPunctuation, kGpt2Pattern, kThreeDigits}});
    // Cased letters are listed one range after another where this comes from; the property says the same.
    t.push_back(
        {"deepseek-llm",
         {R"re([\r\n])re", R"re(\s?[\p{Lu}\p{Ll}\p{Lt}]+)re", R"re(\s?[!-/:-~！-／：-～‘-‟　-。]+)re", R"re(\s+$)re", kEastAsian, R"re(\p{N}+)re"}});
    t.push_back({"deepseek-coder", {R"re([\r\n])re", R"re(\s?\p{L}+)re", R"re(\s?\p{P}+)re", kEastAsian, kEachDigit}});
    t.push_back({"deepseek-v3", {R"re(\p{N}{1,3})re", R"re([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)re", kDeepSeekV3Words}});
    t.push_back({"bloom", {kBloom}});
    for (const char* name : {"poro-chat", "gpt3-finnish"}) t.push_back({name, {kBloom}});
    t.push_back({"viking", {kBloom, kEachDigit}});
    t.push_back({"superbpe", {R"re(\p{N}+)re", R"re((?=(\d{3})+(?!\d)))re"}});
    t.push_back({"seed-coder", {kSeedCoder}});
    t.push_back({"default", {kDefaultPunctuation, kGpt2Pattern, R"re(\p{N}+)re", kThreeDigits}});
    return t;
  }();
  return patterns;
}

// Other spellings of the same expressions, as they are met in tokenizer.json.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSpellings{{
    {R"re('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)re", "dbrx"},
    {R"re((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re",
     "dbrx"},
    {R"re((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re",
     "qwen2"},
    {R"re([一-龥ࠀ-一가-퟿]+)re", kEastAsian},
    {R"re([一-龥぀-ゟ゠-ヿ]+)re", R"re([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)re"},
}};

constexpr std::string_view kScripts[] = {"Adlam",
                                         "Ahom",
                                         "Anatolian_Hieroglyphs",
                                         "Arabic",
                                         "Armenian",
                                         "Avestan",
                                         "Balinese",
                                         "Bamum",
                                         "Bassa_Vah",
                                         "Batak",
                                         "Bengali",
                                         "Bhaiksuki",
                                         "Bopomofo",
                                         "Brahmi",
                                         "Braille",
                                         "Buginese",
                                         "Buhid",
                                         "Canadian_Aboriginal",
                                         "Carian",
                                         "Caucasian_Albanian",
                                         "Chakma",
                                         "Cham",
                                         "Cherokee",
                                         "Chorasmian",
                                         "Common",
                                         "Coptic",
                                         "Cuneiform",
                                         "Cypriot",
                                         "Cypro_Minoan",
                                         "Cyrillic",
                                         "Deseret",
                                         "Devanagari",
                                         "Dives_Akuru",
                                         "Dogra",
                                         "Duployan",
                                         "Egyptian_Hieroglyphs",
                                         "Elbasan",
                                         "Elymaic",
                                         "Ethiopic",
                                         "Georgian",
                                         "Glagolitic",
                                         "Gothic",
                                         "Grantha",
                                         "Greek",
                                         "Gujarati",
                                         "Gunjala_Gondi",
                                         "Gurmukhi",
                                         "Hangul",
                                         "Hanifi_Rohingya",
                                         "Hanunoo",
                                         "Hatran",
                                         "Hebrew",
                                         "Imperial_Aramaic",
                                         "Inherited",
                                         "Inscriptional_Pahlavi",
                                         "Inscriptional_Parthian",
                                         "Javanese",
                                         "Kaithi",
                                         "Kannada",
                                         "Kayah_Li",
                                         "Kharoshthi",
                                         "Khitan_Small_Script",
                                         "Khmer",
                                         "Khojki",
                                         "Khudawadi",
                                         "Lao",
                                         "Latin",
                                         "Lepcha",
                                         "Limbu",
                                         "Linear_A",
                                         "Linear_B",
                                         "Lisu",
                                         "Lycian",
                                         "Lydian",
                                         "Mahajani",
                                         "Makasar",
                                         "Malayalam",
                                         "Mandaic",
                                         "Manichaean",
                                         "Marchen",
                                         "Masaram_Gondi",
                                         "Medefaidrin",
                                         "Meetei_Mayek",
                                         "Mende_Kikakui",
                                         "Meroitic_Cursive",
                                         "Meroitic_Hieroglyphs",
                                         "Miao",
                                         "Modi",
                                         "Mongolian",
                                         "Mro",
                                         "Multani",
                                         "Myanmar",
                                         "Nabataean",
                                         "Nandinagari",
                                         "New_Tai_Lue",
                                         "Newa",
                                         "Nko",
                                         "Nushu",
                                         "Nyiakeng_Puachue_Hmong",
                                         "Ogham",
                                         "Ol_Chiki",
                                         "Old_Hungarian",
                                         "Old_Italic",
                                         "Old_North_Arabian",
                                         "Old_Permic",
                                         "Old_Persian",
                                         "Old_Sogdian",
                                         "Old_South_Arabian",
                                         "Old_Turkic",
                                         "Old_Uyghur",
                                         "Oriya",
                                         "Osage",
                                         "Osmanya",
                                         "Pahawh_Hmong",
                                         "Palmyrene",
                                         "Pau_Cin_Hau",
                                         "Phags_Pa",
                                         "Phoenician",
                                         "Psalter_Pahlavi",
                                         "Rejang",
                                         "Runic",
                                         "Samaritan",
                                         "Saurashtra",
                                         "Sharada",
                                         "Shavian",
                                         "Siddham",
                                         "SignWriting",
                                         "Sinhala",
                                         "Sogdian",
                                         "Sora_Sompeng",
                                         "Soyombo",
                                         "Sundanese",
                                         "Syloti_Nagri",
                                         "Syriac",
                                         "Tagalog",
                                         "Tagbanwa",
                                         "Tai_Le",
                                         "Tai_Tham",
                                         "Tai_Viet",
                                         "Takri",
                                         "Tamil",
                                         "Tangsa",
                                         "Tangut",
                                         "Telugu",
                                         "Thaana",
                                         "Thai",
                                         "Tibetan",
                                         "Tifinagh",
                                         "Tirhuta",
                                         "Toto",
                                         "Ugaritic",
                                         "Vai",
                                         "Vithkuqi",
                                         "Wancho",
                                         "Warang_Citi",
                                         "Yezidi",
                                         "Yi",
                                         "Zanabazar_Square"};

// The first spelling, so that two files with the same expressions compare equal.
std::string_view canonical(std::string_view split) {
  for (auto [spelling, same] : kSpellings)
    if (split == spelling) {
      const PrePattern* named = find_pre_pattern(same);
      return named ? named->splits[0] : same;
    }
  return split;
}

}  // namespace

std::span<const PrePattern> pre_patterns() { return table(); }

const PrePattern* find_pre_pattern(std::string_view name) {
  for (const PrePattern& p : table())
    if (p.name == name) return &p;
  return nullptr;
}

std::optional<std::string_view> name_of_patterns(const std::vector<std::string>& splits, bool ignore_merges) {
  const PrePattern* same_splits = nullptr;
  for (const PrePattern& p : table()) {
    bool equal = std::equal(p.splits.begin(), p.splits.end(), splits.begin(), splits.end(),
                            [](std::string_view a, const std::string& b) { return canonical(a) == canonical(b); });
    if (equal && p.ignore_merges == ignore_merges) return p.name;
    if (equal && !same_splits) same_splits = &p;
  }
  return same_splits ? std::optional(same_splits->name) : std::nullopt;
}

std::string unicode_script_runs() {
  // Kana counts as Han, with the sound mark that Unicode calls common; a space is of any script and no part of a run.
  std::string pattern = R"re([\p{Han}\p{Hiragana}\p{Katakana}\x{30fc}]+(*MARK:Han))re";
  for (std::string_view script : kScripts) {
    bool common = script == "Common";
    pattern +=
        common ? R"re(|(?:(?![\x20\x{30fc}])\p{Common})+(*MARK:Common))re" : "|\\p{" + std::string(script) + "}+(*MARK:" + std::string(script) + ")";
  }
  return pattern;
}

}  // namespace motley::tok
