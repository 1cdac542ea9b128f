// Adapters learned from outside: beside weights that stay as they are, quantised ones too; stored as the peft package has them, gone on from, merged.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class TrainAdapter : public Training {
 protected:
  // The same with another model, or with settings that suit an adapter.
  std::vector<std::string> tuning(const std::string& output, const std::vector<std::string>& more, const std::string& model = "") const {
    std::vector<std::string> out = command(output, {"--learning-rate", "2e-2", "--weight-decay", "0"});
    if (!model.empty()) out[2] = model;
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::string said(const std::string& model, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"run", model, "--ids", "[3,17,9]", "-n", "10", "--temp", "0", "--json", "--ignore-eos", "--kv-type", "f32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Ran r = run(arguments);
    EXPECT_EQ(r.code, 0) << r.err;
    return r.code == 0 ? r.json()["ids"].dump() : r.err;
  }
  double perplexity(const std::string& model, const std::string& adapter) const {
    std::vector<std::string> arguments = {"eval", model, "--ppl", data_, "--ctx", "32", "--json", "-q"};
    if (!adapter.empty()) arguments.insert(arguments.end(), {"--adapter", adapter});
    Ran r = run(arguments);
    EXPECT_EQ(r.code, 0) << r.err;
    return r.code == 0 ? r.json()["ppl"].get<double>() : 0;
  }
};

TEST_F(TrainAdapter, EachMethodLearnsIsStoredAndRunsBesideTheModel) {
  const std::string gpt2 = folder_ / "gpt2";
  fs::rename(model_, folder_ / "llama");
  fs::rename(model_with_tokenizer(folder_, "gpt2"), gpt2);
  for (const std::string method : {"lora", "ia3", "prefix", "bottleneck", "bias"})
    for (const std::string& model : {folder_ / "llama", gpt2}) {
      if (method == "bias" && model != gpt2) continue;
      const std::string name = method + (model == gpt2 ? "-gpt2" : "-llama"), out = folder_ / name;
      Ran r = run(tuning(name, {"--adapter", method}, model));
      ASSERT_EQ(r.code, 0) << name << r.err;
      EXPECT_THAT(r.err, HasSubstr("values learn")) << name;
      EXPECT_THAT(r.err, HasSubstr("--adapter " + out)) << name;
      auto eval = losses(name, "eval_loss");
      ASSERT_EQ(eval.size(), 4u);
      EXPECT_LT(eval.back(), eval.front()) << name;
      EXPECT_FALSE(fs::exists(out + "/model.safetensors"));
      EXPECT_FALSE(fs::exists(out + "/checkpoint-24/model.safetensors"));
      EXPECT_TRUE(fs::exists(out + "/checkpoint-24/adapter_config.json"));
      EXPECT_LT(perplexity(model, out), 0.97 * perplexity(model, "")) << name;
    }
}

TEST_F(TrainAdapter, AQuantisedBaseStaysQuantised) {
  ASSERT_EQ(run({"quantize", model_, "-t", "q4_0", "--pure", "-o", folder_ / "q4.gguf", "-q"}).code, 0);
  const std::string before = read_file(folder_ / "q4.gguf", 1 << 28);
  for (const std::string flag : {"--lora", "--adapter=ia3", "--adapter=bottleneck"}) {
    const std::string out = "q4" + flag;
    Ran r = run(tuning(out, {flag, "--target-modules", flag == "--adapter=ia3" ? "k_proj,v_proj" : "o_proj,down_proj"}, folder_ / "q4.gguf"));
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_LT(losses(out, "eval_loss").back(), losses(out, "eval_loss").front()) << flag;
    EXPECT_LT(perplexity(folder_ / "q4.gguf", folder_ / out), perplexity(folder_ / "q4.gguf", "")) << flag;
    SafetensorsFile rest = SafetensorsFile::open(folder_ / (out + "/checkpoint-24/optimizer.safetensors"));
    for (const SafetensorsTensor& t : rest.tensors())
      EXPECT_TRUE(t.name.find("base_model.model.") != t.name.npos) << t.name << " is neither of the adapter nor its moment";
  }
  EXPECT_EQ(read_file(folder_ / "q4.gguf", 1 << 28), before);
}

TEST_F(TrainAdapter, ABaseOf16BitsStaysAsItIs) {
  for (const std::string name : {"smollm2-f16", "qwen2.5-tied-bf16"}) {
    fs::remove_all(folder_ / "model");
    const std::string model = folder_ / ("of-" + name);
    fs::rename(model_with_tokenizer(folder_, name), model);
    Ran r = run(tuning(name, {"--lora", "--target-modules", "all-linear"}, model));
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_LT(perplexity(model, folder_ / name), 0.9 * perplexity(model, "")) << name;
  }
}

// Rows of queries and keys lie in another order in GGUF files, those of an adapter as peft has them wherever it was learned.
TEST_F(TrainAdapter, LearnedOnAGgufFileItSuitsTheFolder) {
  ASSERT_EQ(run({"convert", model_, "-o", folder_ / "model.gguf", "-q"}).code, 0);
  for (const std::string method : {"lora", "ia3"}) {
    Ran r = run(tuning(method, {"--adapter", method, "--target-modules", "q_proj,k_proj,down_proj"}, folder_ / "model.gguf"));
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_NEAR(perplexity(model_, folder_ / method), perplexity(folder_ / "model.gguf", folder_ / method), 1e-3) << method;
    EXPECT_LT(perplexity(model_, folder_ / method), 0.99 * perplexity(model_, "")) << method;
  }
}

TEST_F(TrainAdapter, ARunKilledAtAnyInstantEndsWhereOneThatNeverWasEnds) {
  run_and_kill({"--save-every", "1", "--lora", "--lora-dropout", "0.1", "--target-modules", "all-linear", "--average", "0.9"});
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json"}) EXPECT_EQ(weights("killed", file), weights("whole", file));
}

TEST_F(TrainAdapter, MergedSaysTheSame) {
  for (const std::string method : {"lora", "ia3"}) {
    Ran r = run(tuning(method, {"--adapter", method, "--merge"}));
    ASSERT_EQ(r.code, 0) << r.err;
    const std::string beside = said(model_, {"--adapter", folder_ / method});
    EXPECT_NE(beside, said(model_));
    EXPECT_EQ(said(folder_ / (method + "/merged")), beside) << method;
    EXPECT_EQ(run(tuning(method, {"--adapter", method, "--merge"})).code, 0) << "the same command again";
  }
}

TEST_F(TrainAdapter, AnAdapterGoesOnLearning) {
  ASSERT_EQ(run(tuning("a", {"--lora", "--lora-rank", "3", "--lora-alpha", "5"})).code, 0);
  Ran r = run(tuning("b", {"--adapter", folder_ / "a"}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("lora of rank 3, alpha 5"));
  EXPECT_LT(losses("b").front(), (losses("a").front() + losses("a").back()) / 2);
  EXPECT_LT(losses("b", "eval_loss").back(), losses("a", "eval_loss").back());
  EXPECT_THAT(run(tuning("c", {"--adapter", folder_ / "a", "--lora-rank", "4"})).err, HasSubstr("says itself what it adapts"));
}

TEST_F(TrainAdapter, ANewHeadLearnsBesideAndIsStoredWithIt) {
  std::string table = "text\tlabel\n";
  constexpr const char *kGood[] = {"a fine day", "the sun, a joy", "one dear friend"}, *kBad[] = {"a sad end", "the rain, a pain", "one old foe"};
  for (int i = 0; i < 200; ++i) table += std::string(i % 2 ? kGood[i % 3] : kBad[i % 3]) + "\t" + (i % 2 ? "good" : "bad") + "\n";
  const std::string data = folder_.write("labels.tsv", table), out = folder_ / "c";
  auto command = [&](const std::string& to, const std::string& adapter, const char* steps) {
    return std::vector<std::string>{"finetune",  model_,  "--data",          data,   "--eval-data", data, "--label-column", "label",
                                    "--output",  to,      "--length",        "32",   "--batch",     "10", "--steps",        steps,
                                    "--adapter", adapter, "--learning-rate", "1e-2", "--threads",   "2"};
  };
  Ran r = run(command(out, "lora", "40"));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(logged(out, "eval_accuracy").back(), 1) << r.err;
  const Json config = parse_json(read_file(out + "/adapter_config.json", 1 << 20), "config");
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  EXPECT_EQ(config["modules_to_save"], Json::array({"score"}));
  Ran said = run({"classify", model_, "--adapter", out, "-p", "the sun, a joy", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json()["results"][0]["labels"][0]["label"], "good");
  Ran more = run(command(folder_ / "d", out, "5"));
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(logged(folder_ / "d", "eval_accuracy").back(), 1);
  EXPECT_THAT(run(command(folder_ / "e", "prefix", "5")).err, HasSubstr("to learn labels choose"));
}

TEST_F(TrainAdapter, SaysWhatIsWrong) {
  auto refused = [&](const std::vector<std::string>& more) {
    Ran r = run(tuning("x", more));
    EXPECT_NE(r.code, 0);
    return r.err;
  };
  EXPECT_THAT(refused({"--adapter", "lorra"}), HasSubstr("there is no adapter 'lorra'; did you mean 'lora'?"));
  EXPECT_THAT(refused({"--lora", "--adapter", "ia3"}), HasSubstr("choose one"));
  EXPECT_THAT(refused({"--lora", "--target-modules", "q_prj"}), HasSubstr("no module of this model is called 'q_prj'; there are:"));
  EXPECT_THAT(refused({"--lora", "--prefix-tokens", "4"}), HasSubstr("--prefix-tokens belongs to --adapter prefix; this is lora"));
  EXPECT_THAT(refused({"--lora", "--lora-rank", "1000"}), HasSubstr("a rank of 1000 does not suit"));
  EXPECT_THAT(refused({"--lora", "--lora-dropout", "1"}), HasSubstr("below 1"));
  EXPECT_THAT(refused({"--adapter", "bias"}), HasSubstr("no biases that could learn"));
  EXPECT_THAT(refused({"--adapter", "prefix", "--merge"}), HasSubstr("no weight of the model can take in"));
  EXPECT_THAT(refused({"--merge"}), HasSubstr("--merge goes with an --adapter"));
  EXPECT_THAT(refused({"--lora", "--modules-to-save", "scor"}), HasSubstr("has no module 'scor'"));
  EXPECT_THAT(refused({"--adapter", folder_.path()}), HasSubstr("is not an adapter"));
}

}  // namespace
}  // namespace motley
