// What every command has in common: exit codes, where messages go, flags from the environment and from a file.
#include <gtest/gtest.h>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

const char* const kModelCommands[] = {"run",      "chat",       "embed",    "classify", "eval",     "bench",  "explain",
                                      "tokenize", "detokenize", "template", "show",     "quantize", "convert"};

// What each command needs besides a model.
std::vector<std::string> with_needed(const std::string& command, const std::string& model, const TempFolder& folder) {
  std::vector<std::string> words = {command, model};
  auto add = [&](std::initializer_list<const char*> more) { words.insert(words.end(), more.begin(), more.end()); };
  if (command == "run") add({"--ids", "[1]", "-n", "1"});
  if (command == "eval") add({"--ppl", MOTLEY_SOURCE_DIR "/README.md"});
  if (command == "template") {
    words.emplace_back("--messages");
    words.push_back(folder.write("messages.json", R"([{"role": "user", "content": "hi"}])"));
  }
  if (command == "quantize") add({"-t", "q8_0"});
  if (command == "quantize" || command == "convert") {
    words.emplace_back("-o");
    words.push_back(folder / "out.gguf");
  }
  return words;
}

TEST(Usage, WithoutACommandTheOverviewIsShownAsAnError) {
  Ran r = run({});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.out, "");
  for (const char* command : kModelCommands) EXPECT_NE(r.err.find(command), std::string::npos) << command;
}

TEST(Usage, HelpAndVersionAreData) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"}, {"help"}, {"--version"}}) {
    Ran r = run(words);
    EXPECT_EQ(r.code, 0);
    EXPECT_NE(r.out.find("motley"), std::string::npos);
    EXPECT_EQ(r.err, "");
  }
  for (const char* command : {"run", "tokenize", "detokenize", "template", "show", "quantize", "convert", "devices", "eval", "embed", "classify"}) {
    Ran r = run({command, "--help"});
    EXPECT_EQ(r.code, 0) << command;
    EXPECT_NE(r.out.find("--config"), std::string::npos) << command;
    EXPECT_EQ(r.err, "") << command;
  }
}

TEST(Usage, AnUnknownCommandIsToldWhatWasMeant) {
  Ran r = run({"tokenise", "model"});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.out, "");
  EXPECT_NE(r.err.find("did you mean 'tokenize'?"), std::string::npos) << r.err;
  r = run({"xyzzy"});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.err.find("did you mean"), std::string::npos) << r.err;
}

TEST(Usage, AnUnknownFlagIsToldWhatWasMeant) {
  struct Case {
    const char *command, *flag, *meant;
  };
  for (Case c : {Case{"run", "--threds", "--threads"}, Case{"run", "--max-token", "--max-tokens"}, Case{"tokenize", "--jsn", "--json"},
                 Case{"template", "--mesages", "--messages"}, Case{"show", "--tensor", "--tensors"}, Case{"quantize", "--outptu", "--output"},
                 Case{"devices", "--jso", "--json"}, Case{"eval", "--pp", "--ppl"}}) {
    Ran r = run({c.command, "model", std::string(c.flag) + "=1"});
    EXPECT_EQ(r.code, 2) << c.command;
    EXPECT_EQ(r.out, "") << c.command;
    EXPECT_NE(r.err.find(std::string("did you mean ") + c.meant + "?"), std::string::npos) << r.err;
  }
}

TEST(Usage, WithoutAModelTheMessageSaysWhatToGive) {
  for (const char* command : {"eval", "tokenize", "detokenize", "show"}) {
    TempFolder folder;
    Ran r = run(command == std::string("eval") ? std::vector<std::string>{command, "--ppl", MOTLEY_SOURCE_DIR "/README.md"}
                                               : std::vector<std::string>{command},
                {.input = "[1]"});
    EXPECT_EQ(r.code, 2) << command << r.err;
    EXPECT_NE(r.err.find(".gguf"), std::string::npos) << r.err;
    EXPECT_EQ(r.out, "") << command;
  }
}

TEST(Usage, AWrongPathIsExitCode3AndNamed) {
  for (const char* command : kModelCommands) {
    TempFolder folder;
    Ran r = run(with_needed(command, folder / "no-such-model.gguf", folder), {.input = "[1]"});
    EXPECT_EQ(r.code, 3) << command << r.err;
    EXPECT_EQ(r.out, "") << command;
    EXPECT_NE(r.err.find("no-such-model.gguf"), std::string::npos) << command << r.err;
    EXPECT_FALSE(file_exists(folder / "out.gguf")) << command;
  }
}

TEST(Usage, ADamagedModelIsExitCode3) {
  TempFolder folder;
  const std::string whole = read_file(tiny_model() + "/model.safetensors", 1 << 20);
  folder.write("cut/config.json", read_file(tiny_model() + "/config.json", 1 << 20));
  folder.write("cut/model.safetensors", std::string_view(whole).substr(0, whole.size() - 100));
  folder.write("header/config.json", read_file(tiny_model() + "/config.json", 1 << 20));
  folder.write("header/model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}");
  folder.write("config/config.json", "{\"model_type\": ");
  folder.write("config/model.safetensors", whole);
  const std::string garbage = folder.write("garbage.gguf", "not a model at all"),
                    cut = folder.write("cut.gguf", std::string_view("GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 24));
  for (const char* command : {"run", "show", "quantize", "convert", "eval"})
    for (const std::string& model : {folder / "cut", folder / "header", folder / "config", garbage, cut}) {
      Ran r = run(with_needed(command, model, folder));
      EXPECT_EQ(r.code, 3) << command << " " << model << "\n" << r.err;
      EXPECT_EQ(r.out, "") << command << " " << model;
      EXPECT_NE(r.err.find(model), std::string::npos) << r.err;
      EXPECT_FALSE(file_exists(folder / "out.gguf")) << command;
    }
}

TEST(Usage, WeightsThatAreNotTheConfigsNameTheirFile) {
  TempFolder folder;
  std::string config = read_file(tiny_model() + "/config.json", 1 << 20);
  const size_t at = config.find("\"intermediate_size\": ");
  ASSERT_NE(at, std::string::npos);
  folder.write("m/config.json", config.insert(at + 21, "1"));
  folder.write("m/model.safetensors", read_file(tiny_model() + "/model.safetensors", 1 << 20));
  for (const char* command : {"run", "quantize", "convert", "eval", "explain"}) {
    Ran r = run(with_needed(command, folder / "m", folder));
    EXPECT_EQ(r.code, 3) << command << r.err;
    EXPECT_NE(r.err.find(folder / "m"), std::string::npos) << command << r.err;
    EXPECT_NE(r.err.find("should have shape"), std::string::npos) << command << r.err;
    EXPECT_FALSE(file_exists(folder / "out.gguf")) << command;
  }
}

TEST(Usage, NumbersAreCheckedAgainstTheirRange) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"run", "m", "--threads", "0"},
                                                {"run", "m", "--threads", "many"},
                                                {"run", "m", "-c", "-5"},
                                                {"run", tiny_model(), "--ids", "[1,"},
                                                {"run", tiny_model(), "--ids", "[NaN]"},
                                                {"run", "m", "--kv-type", "q4_0"},
                                                {"devices", "-t", "99999"},
                                                {"show", tiny_model(), "-c", "x"}}) {
    Ran r = run(words);
    EXPECT_EQ(r.code, 2) << words[2] << r.err;
    EXPECT_EQ(r.out, "");
  }
  EXPECT_NE(run({"devices", "-t", "99999"}).err.find("4096"), std::string::npos);
}

// The same question three ways: how many tokens does `run` generate?
size_t generated(const std::vector<std::string>& more, const RunOptions& options) {
  std::vector<std::string> words = {"run", tiny_model(), "--ids", "[47]", "--temp", "0", "--json", "--ignore-eos"};
  words.insert(words.end(), more.begin(), more.end());
  Ran r = run(words, options);
  EXPECT_EQ(r.code, 0) << r.err;
  return r.code == 0 ? r.json()["ids"].size() : 0;
}

TEST(Usage, TheCommandLineGoesBeforeTheEnvironmentAndThatBeforeTheFile) {
  TempFolder folder;
  const std::string config = folder.write("config.yaml", "predict: 3\n");
  EXPECT_EQ(generated({"--config", config}, {}), 3u);
  EXPECT_EQ(generated({"--config=" + config}, {.variables = {{"MOTLEY_PREDICT", "4"}}}), 4u);
  EXPECT_EQ(generated({"--config", config, "-n", "5"}, {.variables = {{"MOTLEY_PREDICT", "4"}}}), 5u);
  EXPECT_EQ(generated({}, {.variables = {{"MOTLEY_MAX_TOKENS", "6"}}}), 6u);
}

TEST(Usage, AModelCanComeFromTheEnvironment) {
  Ran r = run({"show", "--json"}, {.variables = {{"MOTLEY_MODEL", tiny_model()}}});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.json()["config"]["vocab"], 64);
}

TEST(Usage, AConfigFilesMistakesAreNamedWithTheirLine) {
  TempFolder folder;
  struct Case {
    const char *text, *expected;
  };
  for (Case c : {Case{"temp: 0\npredit: 3\n", "line 2: unknown key 'predit', did you mean 'predict'?"},
                 Case{"- 1\n", "should be a list of 'flag: value' lines"}, Case{"a: [1\n", "line "},
                 Case{"stop: {a: 1}\n", "should be a value or a list of values"}}) {
    Ran r = run({"run", tiny_model(), "--config", folder.write("config.yaml", c.text)});
    EXPECT_EQ(r.code, 2) << c.text << r.err;
    EXPECT_NE(r.err.find(c.expected), std::string::npos) << r.err;
  }
  EXPECT_EQ(run({"run", tiny_model(), "--config", folder / "none.yaml"}).code, 3);
}

TEST(Usage, NobodyReadingIsAFailureAndNoCrash) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"show", model, "--json", "--tensors"},
                                                {"tokenize", model, "--json"},
                                                {"run", model, "-p", "once", "-n", "5"},
                                                {"run", model, "-p", "once", "-n", "5", "--json"},
                                                {"devices", "--no-probe"}}) {
    Ran r = run(words, {.input = "once", .nobody_reads = true});
    EXPECT_EQ(r.code, 1) << words[0] << r.err;
    EXPECT_EQ(r.err.find("report this"), std::string::npos) << r.err;
  }
}

}  // namespace
}  // namespace motley
